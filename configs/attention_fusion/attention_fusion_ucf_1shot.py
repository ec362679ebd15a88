"""Attention Fusion on UCF-FSL, 1 shot.

python tools/train.py configs/attention_fusion/attention_fusion_ucf_1shot.py
"""

_base_ = ['./attention_fusion_ucf_5shot.py']
num_shots = 1
