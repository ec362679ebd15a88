"""MBT on VGGSound-FSL, 10 shots.

python tools/train.py configs/mbt/mbt_vgg_10shot.py
"""

_base_ = ['./mbt_vgg_5shot.py']
num_shots = 10
