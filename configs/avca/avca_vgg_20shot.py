"""AVCA on VGGSound-FSL, 20 shots.

python tools/train.py configs/avca/avca_vgg_20shot.py
"""

_base_ = ['./avca_vgg_5shot.py']
num_shots = 20
