"""TSL on VGGSound-FSL, 10 shots.

python tools/train.py configs/tsl/tsl_vgg_10shot.py
"""

_base_ = ['./tsl_vgg_5shot.py']
num_shots = 10
