"""TSL on VGGSound-FSL, 20 shots.

python tools/train.py configs/tsl/tsl_vgg_20shot.py
"""

_base_ = ['./tsl_vgg_5shot.py']
num_shots = 20
