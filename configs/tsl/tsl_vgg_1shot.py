"""TSL on VGGSound-FSL, 1 shot.

python tools/train.py configs/tsl/tsl_vgg_1shot.py
"""

_base_ = ['./tsl_vgg_5shot.py']
num_shots = 1
