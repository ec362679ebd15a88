"""Zorro on VGGSound-FSL, 20 shots.

python tools/train.py configs/zorro/zorro_vgg_20shot.py
"""

_base_ = ['./zorro_vgg_5shot.py']
num_shots = 20
