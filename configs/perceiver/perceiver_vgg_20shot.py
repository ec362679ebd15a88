"""Perceiver on VGGSound-FSL, 20 shots.

python tools/train.py configs/perceiver/perceiver_vgg_20shot.py
"""

_base_ = ['./perceiver_vgg_5shot.py']
num_shots = 20
