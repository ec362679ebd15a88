"""HiP on ActivityNet-FSL, 10 shots.

python tools/train.py configs/hip/hip_activitynet_10shot.py
"""

_base_ = ['./hip_activitynet_5shot.py']
num_shots = 10
