"""Attention Fusion on VGGSound-FSL, 20 shots.

python tools/train.py configs/attention_fusion/attention_fusion_vgg_20shot.py
"""

_base_ = ['./attention_fusion_vgg_5shot.py']
num_shots = 20
