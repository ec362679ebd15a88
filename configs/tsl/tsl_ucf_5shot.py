"""TSL on UCF-FSL, 5 shots.

python tools/train.py configs/tsl/tsl_ucf_5shot.py
"""

_base_ = [
    '../_base_/models/tsl.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
curriculum = dict(full=dict(freeze=('projector',)))  # the segment encoder
