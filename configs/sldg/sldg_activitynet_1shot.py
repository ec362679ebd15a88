"""SLDG on ActivityNet-FSL, 1 shot (AV-DIFF, Table 2: HM 13.57, FSL 10.30; not run by us).

python tools/train.py configs/sldg/sldg_activitynet_1shot.py
"""
_base_ = [
    '../_base_/models/sldg.py',
    '../_base_/datasets/activitynet_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
model = dict(
    encoders=dict(audio=dict(dropout=0.3), visual=dict(dropout=0.3)),
    projector=dict(dropout=0.1))
