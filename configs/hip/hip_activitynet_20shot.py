"""HiP on ActivityNet-FSL, 20 shots.

python tools/train.py configs/hip/hip_activitynet_20shot.py
"""

_base_ = ['./hip_activitynet_5shot.py']
num_shots = 20
