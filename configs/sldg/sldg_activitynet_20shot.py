"""SLDG on ActivityNet-FSL, 20 shots.

python tools/train.py configs/sldg/sldg_activitynet_20shot.py
"""

_base_ = ['./sldg_activitynet_5shot.py']
num_shots = 20
