"""AV-Gauss on ActivityNet-FSL, 10 shots.

python tools/train.py configs/avgauss/avgauss_activitynet_10shot.py
"""

_base_ = ['./avgauss_activitynet_5shot.py']
num_shots = 10
