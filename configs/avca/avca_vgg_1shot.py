"""AVCA on VGGSound-FSL, 1 shot.

python tools/train.py configs/avca/avca_vgg_1shot.py
"""

_base_ = ['./avca_vgg_5shot.py']
num_shots = 1
