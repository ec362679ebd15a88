"""TCAF on ActivityNet-FSL, 10 shots.

python tools/train.py configs/tcaf/tcaf_activitynet_10shot.py
"""

_base_ = ['./tcaf_activitynet_5shot.py']
num_shots = 10
