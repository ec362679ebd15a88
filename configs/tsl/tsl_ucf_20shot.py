"""TSL on UCF-FSL, 20 shots.

python tools/train.py configs/tsl/tsl_ucf_20shot.py
"""

_base_ = ['./tsl_ucf_5shot.py']
num_shots = 20
