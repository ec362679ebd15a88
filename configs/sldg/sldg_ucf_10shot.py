"""SLDG on UCF-FSL, 10 shots.

python tools/train.py configs/sldg/sldg_ucf_10shot.py
"""

_base_ = ['./sldg_ucf_5shot.py']
num_shots = 10
