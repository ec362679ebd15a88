"""SLDG on VGGSound-FSL, 10 shots.

python tools/train.py configs/sldg/sldg_vgg_10shot.py
"""

_base_ = ['./sldg_vgg_5shot.py']
num_shots = 10
