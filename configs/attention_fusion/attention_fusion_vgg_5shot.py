"""Attention Fusion on VGGSound-FSL, 5 shots.

python tools/train.py configs/attention_fusion/attention_fusion_vgg_5shot.py
"""

_base_ = [
    '../_base_/models/attention_fusion.py',
    '../_base_/datasets/vgg_fsl.py',
    '../_base_/schedules/two_stage_vgg.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
data_preprocessor = dict(pool_time=True)
model = dict(fusion=dict(dropout=0.2), projector=dict(dropout=0.2))
