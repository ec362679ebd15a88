"""MBT on ActivityNet-FSL, 1 shot.

python tools/train.py configs/mbt/mbt_activitynet_1shot.py
"""

_base_ = ['./mbt_activitynet_5shot.py']
num_shots = 1
