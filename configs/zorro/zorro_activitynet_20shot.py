"""Zorro on ActivityNet-FSL, 20 shots.

python tools/train.py configs/zorro/zorro_activitynet_20shot.py
"""

_base_ = ['./zorro_activitynet_5shot.py']
num_shots = 20
