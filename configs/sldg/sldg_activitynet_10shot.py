"""SLDG on ActivityNet-FSL, 10 shots.

python tools/train.py configs/sldg/sldg_activitynet_10shot.py
"""

_base_ = ['./sldg_activitynet_5shot.py']
num_shots = 10
