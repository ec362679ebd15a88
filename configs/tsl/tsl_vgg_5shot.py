"""TSL on VGGSound-FSL, 5 shots.

python tools/train.py configs/tsl/tsl_vgg_5shot.py
"""

_base_ = [
    '../_base_/models/tsl.py',
    '../_base_/datasets/vgg_fsl.py',
    '../_base_/schedules/two_stage_vgg.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
curriculum = dict(full=dict(freeze=('projector',)))  # the segment encoder
