"""SLDG on VGGSound-FSL, 1 shot.

python tools/train.py configs/sldg/sldg_vgg_1shot.py
"""

_base_ = ['./sldg_vgg_5shot.py']
num_shots = 1
