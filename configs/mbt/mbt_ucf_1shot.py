"""MBT on UCF-FSL, 1 shot.

python tools/train.py configs/mbt/mbt_ucf_1shot.py
"""

_base_ = ['./mbt_ucf_5shot.py']
num_shots = 1
