"""AVCA on UCF-FSL, 20 shots.

python tools/train.py configs/avca/avca_ucf_20shot.py
"""

_base_ = ['./avca_ucf_5shot.py']
num_shots = 20
