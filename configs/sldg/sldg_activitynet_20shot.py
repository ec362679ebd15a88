"""SLDG on ActivityNet-FSL, 20 shots.

python tools/train.py configs/sldg/sldg_activitynet_20shot.py
"""
_base_ = [
    '../_base_/models/sldg.py',
    '../_base_/datasets/activitynet_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 20
model = dict(
    encoders=dict(audio=dict(dropout=0.3), visual=dict(dropout=0.3)),
    projector=dict(dropout=0.1))
