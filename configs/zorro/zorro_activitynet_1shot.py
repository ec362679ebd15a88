"""Zorro on ActivityNet-FSL, 1 shot.

python tools/train.py configs/zorro/zorro_activitynet_1shot.py
"""

_base_ = ['./zorro_activitynet_5shot.py']
num_shots = 1
