"""TCAF on UCF-FSL, 1 shot.

python tools/train.py configs/tcaf/tcaf_ucf_1shot.py
"""

_base_ = ['./tcaf_ucf_5shot.py']
num_shots = 1
