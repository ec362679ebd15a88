"""AV-DIFF on ActivityNet-FSL, 1 shot.

python tools/train.py configs/avdiff/avdiff_activitynet_1shot.py
"""

_base_ = ['./avdiff_activitynet_5shot.py']
num_shots = 1
model = dict(
    embedding=dict(dropout=0.1),
    generator=dict(schedule=dict(num_steps=100), noise_predictor=dict(hidden_dim=64, dropout=0.4)),
)
