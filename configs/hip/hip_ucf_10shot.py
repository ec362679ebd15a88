"""HiP on UCF-FSL, 10 shots.

python tools/train.py configs/hip/hip_ucf_10shot.py
"""

_base_ = ['./hip_ucf_5shot.py']
num_shots = 10
