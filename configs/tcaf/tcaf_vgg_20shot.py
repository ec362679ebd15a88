"""TCAF on VGGSound-FSL, 20 shots.

python tools/train.py configs/tcaf/tcaf_vgg_20shot.py
"""

_base_ = ['./tcaf_vgg_5shot.py']
num_shots = 20
