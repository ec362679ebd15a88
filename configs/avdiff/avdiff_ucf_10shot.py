"""AV-DIFF on UCF-FSL, 10 shots (AV-DIFF, Table 2: HM 64.18, FSL 57.39; not run by us).

python tools/train.py configs/avdiff/avdiff_ucf_10shot.py
"""
_base_ = [
    '../_base_/models/avdiff.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
model = dict(
    encoders=dict(audio=dict(dropout=0.2), visual=dict(dropout=0.2)),
    embedding=dict(dropout=0.1),
    fusion=dict(depth=4, switch_after=2, dropout=0.1),
    projector=dict(dropout=0.2),
    generator=dict(schedule=dict(num_steps=300), noise_predictor=dict(hidden_dim=128, dropout=0.0)))
