"""TCAF on UCF-FSL, 20 shots.

python tools/train.py configs/tcaf/tcaf_ucf_20shot.py
"""

_base_ = ['./tcaf_ucf_5shot.py']
num_shots = 20
