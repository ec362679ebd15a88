"""Attention Fusion on ActivityNet-FSL, 20 shots.

python tools/train.py configs/attention_fusion/attention_fusion_activitynet_20shot.py
"""

_base_ = ['./attention_fusion_activitynet_5shot.py']
num_shots = 20
