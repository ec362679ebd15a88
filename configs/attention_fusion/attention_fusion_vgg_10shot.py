"""Attention Fusion on VGGSound-FSL, 10 shots.

python tools/train.py configs/attention_fusion/attention_fusion_vgg_10shot.py
"""

_base_ = ['./attention_fusion_vgg_5shot.py']
num_shots = 10
