"""TSL on the synthetic data set, 5 shots.

python tools/train.py configs/tsl/tsl_synth_5shot.py
"""

_base_ = [
    '../_base_/models/tsl.py',
    '../_base_/datasets/synth_fsl.py',
    '../_base_/schedules/two_stage_short.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
curriculum = dict(full=dict(freeze=('projector',)))  # the segment encoder
model = dict(fusion=dict(num_segments=4))  # videos of 4 to 8 steps
