"""SLDG on UCF-FSL, 1 shot.

python tools/train.py configs/sldg/sldg_ucf_1shot.py
"""

_base_ = ['./sldg_ucf_5shot.py']
num_shots = 1
