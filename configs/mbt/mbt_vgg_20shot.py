"""MBT on VGGSound-FSL, 20 shots.

python tools/train.py configs/mbt/mbt_vgg_20shot.py
"""

_base_ = ['./mbt_vgg_5shot.py']
num_shots = 20
