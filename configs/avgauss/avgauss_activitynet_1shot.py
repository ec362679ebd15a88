"""AV-Gauss on ActivityNet-FSL, 1 shot.

python tools/train.py configs/avgauss/avgauss_activitynet_1shot.py
"""

_base_ = ['./avgauss_activitynet_5shot.py']
num_shots = 1
