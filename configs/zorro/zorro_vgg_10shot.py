"""Zorro on VGGSound-FSL, 10 shots.

python tools/train.py configs/zorro/zorro_vgg_10shot.py
"""

_base_ = ['./zorro_vgg_5shot.py']
num_shots = 10
