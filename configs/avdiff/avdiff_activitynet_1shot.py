"""AV-DIFF on ActivityNet-FSL, 1 shot (AV-DIFF, Table 2: HM 18.47, FSL 13.80; not run by us).

python tools/train.py configs/avdiff/avdiff_activitynet_1shot.py
"""
_base_ = [
    '../_base_/models/avdiff.py',
    '../_base_/datasets/activitynet_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
model = dict(
    encoders=dict(audio=dict(dropout=0.3), visual=dict(dropout=0.3)),
    embedding=dict(dropout=0.1),
    fusion=dict(depth=5, switch_after=3, dropout=0.1),
    projector=dict(dropout=0.1),
    generator=dict(schedule=dict(num_steps=100), noise_predictor=dict(hidden_dim=64, dropout=0.4)))
