"""Attention Fusion on UCF-FSL, 10 shots.

python tools/train.py configs/attention_fusion/attention_fusion_ucf_10shot.py
"""

_base_ = ['./attention_fusion_ucf_5shot.py']
num_shots = 10
