"""Zorro on UCF-FSL, 1 shot.

python tools/train.py configs/zorro/zorro_ucf_1shot.py
"""

_base_ = ['./zorro_ucf_5shot.py']
num_shots = 1
