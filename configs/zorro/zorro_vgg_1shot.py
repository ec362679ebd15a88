"""Zorro on VGGSound-FSL, 1 shot.

python tools/train.py configs/zorro/zorro_vgg_1shot.py
"""

_base_ = ['./zorro_vgg_5shot.py']
num_shots = 1
