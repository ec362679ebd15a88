"""AV-Gauss on UCF-FSL, 1 shot.

python tools/train.py configs/avgauss/avgauss_ucf_1shot.py
"""

_base_ = ['./avgauss_ucf_5shot.py']
num_shots = 1
