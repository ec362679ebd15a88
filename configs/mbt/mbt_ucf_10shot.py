"""MBT on UCF-FSL, 10 shots.

python tools/train.py configs/mbt/mbt_ucf_10shot.py
"""

_base_ = ['./mbt_ucf_5shot.py']
num_shots = 10
