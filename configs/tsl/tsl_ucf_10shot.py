"""TSL on UCF-FSL, 10 shots.

python tools/train.py configs/tsl/tsl_ucf_10shot.py
"""

_base_ = ['./tsl_ucf_5shot.py']
num_shots = 10
