"""Perceiver on ActivityNet-FSL, 20 shots.

python tools/train.py configs/perceiver/perceiver_activitynet_20shot.py
"""

_base_ = ['./perceiver_activitynet_5shot.py']
num_shots = 20
