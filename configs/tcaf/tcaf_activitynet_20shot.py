"""TCAF on ActivityNet-FSL, 20 shots.

python tools/train.py configs/tcaf/tcaf_activitynet_20shot.py
"""

_base_ = ['./tcaf_activitynet_5shot.py']
num_shots = 20
