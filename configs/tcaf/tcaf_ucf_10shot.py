"""TCAF on UCF-FSL, 10 shots.

python tools/train.py configs/tcaf/tcaf_ucf_10shot.py
"""

_base_ = ['./tcaf_ucf_5shot.py']
num_shots = 10
