"""TSL on ActivityNet-FSL, 20 shots.

python tools/train.py configs/tsl/tsl_activitynet_20shot.py
"""

_base_ = ['./tsl_activitynet_5shot.py']
num_shots = 20
