"""MBT on VGGSound-FSL, 1 shot.

python tools/train.py configs/mbt/mbt_vgg_1shot.py
"""

_base_ = ['./mbt_vgg_5shot.py']
num_shots = 1
