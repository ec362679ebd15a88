"""Perceiver on ActivityNet-FSL, 5 shots.

python tools/train.py configs/perceiver/perceiver_activitynet_5shot.py
"""

_base_ = [
    '../_base_/models/perceiver.py',
    '../_base_/datasets/activitynet_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
model = dict(encoders=dict(audio=dict(dropout=0.3), visual=dict(dropout=0.3)), embedding=dict(dropout=0.2))
