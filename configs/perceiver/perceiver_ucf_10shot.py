"""Perceiver on UCF-FSL, 10 shots.

python tools/train.py configs/perceiver/perceiver_ucf_10shot.py
"""

_base_ = ['./perceiver_ucf_5shot.py']
num_shots = 10
