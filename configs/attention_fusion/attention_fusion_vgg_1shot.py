"""Attention Fusion on VGGSound-FSL, 1 shot.

python tools/train.py configs/attention_fusion/attention_fusion_vgg_1shot.py
"""

_base_ = ['./attention_fusion_vgg_5shot.py']
num_shots = 1
