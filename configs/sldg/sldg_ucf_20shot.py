"""SLDG on UCF-FSL, 20 shots.

python tools/train.py configs/sldg/sldg_ucf_20shot.py
"""

_base_ = ['./sldg_ucf_5shot.py']
num_shots = 20
