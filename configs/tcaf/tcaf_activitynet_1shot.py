"""TCAF on ActivityNet-FSL, 1 shot.

python tools/train.py configs/tcaf/tcaf_activitynet_1shot.py
"""

_base_ = ['./tcaf_activitynet_5shot.py']
num_shots = 1
