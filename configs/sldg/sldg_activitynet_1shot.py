"""SLDG on ActivityNet-FSL, 1 shot.

python tools/train.py configs/sldg/sldg_activitynet_1shot.py
"""

_base_ = ['./sldg_activitynet_5shot.py']
num_shots = 1
