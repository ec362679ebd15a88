"""TSL on ActivityNet-FSL, 1 shot.

python tools/train.py configs/tsl/tsl_activitynet_1shot.py
"""

_base_ = ['./tsl_activitynet_5shot.py']
num_shots = 1
