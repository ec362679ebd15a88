"""Perceiver on UCF-FSL, 20 shots.

python tools/train.py configs/perceiver/perceiver_ucf_20shot.py
"""

_base_ = ['./perceiver_ucf_5shot.py']
num_shots = 20
