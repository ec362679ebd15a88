"""Perceiver on VGGSound-FSL, 1 shot.

python tools/train.py configs/perceiver/perceiver_vgg_1shot.py
"""

_base_ = ['./perceiver_vgg_5shot.py']
num_shots = 1
