"""Perceiver on ActivityNet-FSL, 1 shot.

python tools/train.py configs/perceiver/perceiver_activitynet_1shot.py
"""

_base_ = ['./perceiver_activitynet_5shot.py']
num_shots = 1
