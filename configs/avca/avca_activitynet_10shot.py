"""AVCA on ActivityNet-FSL, 10 shots.

python tools/train.py configs/avca/avca_activitynet_10shot.py
"""

_base_ = ['./avca_activitynet_5shot.py']
num_shots = 10
