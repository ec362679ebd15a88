"""HiP on UCF-FSL, 1 shot.

python tools/train.py configs/hip/hip_ucf_1shot.py
"""

_base_ = ['./hip_ucf_5shot.py']
num_shots = 1
