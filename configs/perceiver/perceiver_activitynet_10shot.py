"""Perceiver on ActivityNet-FSL, 10 shots.

python tools/train.py configs/perceiver/perceiver_activitynet_10shot.py
"""

_base_ = ['./perceiver_activitynet_5shot.py']
num_shots = 10
