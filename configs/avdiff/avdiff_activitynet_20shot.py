"""AV-DIFF on ActivityNet-FSL, 20 shots.

python tools/train.py configs/avdiff/avdiff_activitynet_20shot.py
"""

_base_ = ['./avdiff_activitynet_5shot.py']
num_shots = 20
model = dict(encoders=dict(audio=dict(dropout=0.2), visual=dict(dropout=0.2)))
