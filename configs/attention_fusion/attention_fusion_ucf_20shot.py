"""Attention Fusion on UCF-FSL, 20 shots.

python tools/train.py configs/attention_fusion/attention_fusion_ucf_20shot.py
"""
_base_ = [
    '../_base_/models/attention_fusion.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 20
data_preprocessor = dict(pool_time=True)
