"""MBT on UCF-FSL, 20 shots.

python tools/train.py configs/mbt/mbt_ucf_20shot.py
"""

_base_ = ['./mbt_ucf_5shot.py']
num_shots = 20
