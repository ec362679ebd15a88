"""HiP on UCF-FSL, 20 shots.

python tools/train.py configs/hip/hip_ucf_20shot.py
"""

_base_ = ['./hip_ucf_5shot.py']
num_shots = 20
