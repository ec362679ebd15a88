"""MBT on ActivityNet-FSL, 20 shots.

python tools/train.py configs/mbt/mbt_activitynet_20shot.py
"""

_base_ = ['./mbt_activitynet_5shot.py']
num_shots = 20
