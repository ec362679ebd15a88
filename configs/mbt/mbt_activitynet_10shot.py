"""MBT on ActivityNet-FSL, 10 shots.

python tools/train.py configs/mbt/mbt_activitynet_10shot.py
"""

_base_ = ['./mbt_activitynet_5shot.py']
num_shots = 10
