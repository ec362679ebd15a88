"""AV-DIFF on VGGSound-FSL, 5 shots.

python tools/train.py configs/avdiff/avdiff_vgg_5shot.py
"""

_base_ = [
    '../_base_/models/avdiff.py',
    '../_base_/datasets/vgg_fsl.py',
    '../_base_/schedules/two_stage_vgg.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
model = dict(
    embedding=dict(dropout=0.2),
    fusion=dict(depth=8, switch_after=5, dropout=0.2),
    projector=dict(dropout=0.2),
    generator=dict(schedule=dict(num_steps=100)),
)
