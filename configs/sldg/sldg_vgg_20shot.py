"""SLDG on VGGSound-FSL, 20 shots.

python tools/train.py configs/sldg/sldg_vgg_20shot.py
"""

_base_ = ['./sldg_vgg_5shot.py']
num_shots = 20
