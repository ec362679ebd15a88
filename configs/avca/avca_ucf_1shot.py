"""AVCA on UCF-FSL, 1 shot.

python tools/train.py configs/avca/avca_ucf_1shot.py
"""

_base_ = ['./avca_ucf_5shot.py']
num_shots = 1
