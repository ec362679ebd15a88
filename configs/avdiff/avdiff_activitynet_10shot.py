"""AV-DIFF on ActivityNet-FSL, 10 shots.

python tools/train.py configs/avdiff/avdiff_activitynet_10shot.py
"""

_base_ = ['./avdiff_activitynet_5shot.py']
num_shots = 10
