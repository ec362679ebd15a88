"""AV-Gauss on ActivityNet-FSL, 20 shots.

python tools/train.py configs/avgauss/avgauss_activitynet_20shot.py
"""

_base_ = ['./avgauss_activitynet_5shot.py']
num_shots = 20
