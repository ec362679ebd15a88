"""Perceiver on UCF-FSL, 1 shot.

python tools/train.py configs/perceiver/perceiver_ucf_1shot.py
"""

_base_ = ['./perceiver_ucf_5shot.py']
num_shots = 1
