"""AV-Gauss on UCF-FSL, 20 shots.

python tools/train.py configs/avgauss/avgauss_ucf_20shot.py
"""

_base_ = ['./avgauss_ucf_5shot.py']
num_shots = 20
