"""HiP on ActivityNet-FSL, 1 shot.

python tools/train.py configs/hip/hip_activitynet_1shot.py
"""

_base_ = ['./hip_activitynet_5shot.py']
num_shots = 1
