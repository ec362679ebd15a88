"""Zorro on ActivityNet-FSL, 10 shots.

python tools/train.py configs/zorro/zorro_activitynet_10shot.py
"""

_base_ = ['./zorro_activitynet_5shot.py']
num_shots = 10
