"""TCAF on VGGSound-FSL, 10 shots.

python tools/train.py configs/tcaf/tcaf_vgg_10shot.py
"""

_base_ = ['./tcaf_vgg_5shot.py']
num_shots = 10
