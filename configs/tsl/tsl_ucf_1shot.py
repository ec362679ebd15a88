"""TSL on UCF-FSL, 1 shot.

python tools/train.py configs/tsl/tsl_ucf_1shot.py
"""

_base_ = ['./tsl_ucf_5shot.py']
num_shots = 1
