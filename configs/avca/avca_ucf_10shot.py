"""AVCA on UCF-FSL, 10 shots.

python tools/train.py configs/avca/avca_ucf_10shot.py
"""

_base_ = ['./avca_ucf_5shot.py']
num_shots = 10
