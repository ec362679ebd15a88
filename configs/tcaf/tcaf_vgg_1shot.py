"""TCAF on VGGSound-FSL, 1 shot.

python tools/train.py configs/tcaf/tcaf_vgg_1shot.py
"""

_base_ = ['./tcaf_vgg_5shot.py']
num_shots = 1
