"""Zorro on UCF-FSL, 10 shots.

python tools/train.py configs/zorro/zorro_ucf_10shot.py
"""

_base_ = ['./zorro_ucf_5shot.py']
num_shots = 10
