"""TSL on ActivityNet-FSL, 10 shots.

python tools/train.py configs/tsl/tsl_activitynet_10shot.py
"""

_base_ = ['./tsl_activitynet_5shot.py']
num_shots = 10
