"""AVCA on ActivityNet-FSL, 20 shots.

python tools/train.py configs/avca/avca_activitynet_20shot.py
"""

_base_ = ['./avca_activitynet_5shot.py']
num_shots = 20
