"""Perceiver on VGGSound-FSL, 10 shots.

python tools/train.py configs/perceiver/perceiver_vgg_10shot.py
"""

_base_ = ['./perceiver_vgg_5shot.py']
num_shots = 10
