"""AV-Gauss on UCF-FSL, 10 shots.

python tools/train.py configs/avgauss/avgauss_ucf_10shot.py
"""

_base_ = ['./avgauss_ucf_5shot.py']
num_shots = 10
