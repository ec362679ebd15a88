"""SLDG on VGGSound-FSL, 5 shots.

python tools/train.py configs/sldg/sldg_vgg_5shot.py
"""

_base_ = [
    '../_base_/models/sldg.py',
    '../_base_/datasets/vgg_fsl.py',
    '../_base_/schedules/two_stage_vgg.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
model = dict(projector=dict(dropout=0.2))
