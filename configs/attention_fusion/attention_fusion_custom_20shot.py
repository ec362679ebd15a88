"""Attention Fusion on a feature store of your own, 20 shots.

python tools/train.py configs/attention_fusion/attention_fusion_custom_20shot.py --cfg-options data_root=data/mine
"""
_base_ = [
    '../_base_/models/attention_fusion.py',
    '../_base_/datasets/custom.py',
    '../_base_/schedules/two_stage_custom.py',
    '../_base_/default_runtime.py',
]
num_shots = 20
data_preprocessor = dict(pool_time=True)
