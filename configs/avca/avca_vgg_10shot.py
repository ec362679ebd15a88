"""AVCA on VGGSound-FSL, 10 shots.

python tools/train.py configs/avca/avca_vgg_10shot.py
"""

_base_ = ['./avca_vgg_5shot.py']
num_shots = 10
