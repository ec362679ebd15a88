"""Zorro on ActivityNet-FSL, 10 shots (AV-DIFF, Table 2: HM 27.35, FSL 26.33; not run by us).

python tools/train.py configs/zorro/zorro_activitynet_10shot.py
"""
_base_ = [
    '../_base_/models/zorro.py',
    '../_base_/datasets/activitynet_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
model = dict(
    encoders=dict(audio=dict(dropout=0.3), visual=dict(dropout=0.3)),
    embedding=dict(dropout=0.2),
    fusion=dict(depth=5, dropout=0.1),
    projector=dict(dropout=0.1))
