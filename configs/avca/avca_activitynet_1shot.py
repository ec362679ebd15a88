"""AVCA on ActivityNet-FSL, 1 shot.

python tools/train.py configs/avca/avca_activitynet_1shot.py
"""

_base_ = ['./avca_activitynet_5shot.py']
num_shots = 1
