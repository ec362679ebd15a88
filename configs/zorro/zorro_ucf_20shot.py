"""Zorro on UCF-FSL, 20 shots.

python tools/train.py configs/zorro/zorro_ucf_20shot.py
"""

_base_ = ['./zorro_ucf_5shot.py']
num_shots = 20
