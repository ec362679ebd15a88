"""AV-DIFF on VGGSound-FSL, 1 shot (AV-DIFF, Table 2: HM 20.31, FSL 22.95; not run by us).

python tools/train.py configs/avdiff/avdiff_vgg_1shot.py
"""
_base_ = [
    '../_base_/models/avdiff.py',
    '../_base_/datasets/vgg_fsl.py',
    '../_base_/schedules/two_stage_vgg.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
model = dict(
    encoders=dict(audio=dict(dropout=0.3), visual=dict(dropout=0.3)),
    embedding=dict(dropout=0.3),
    fusion=dict(depth=8, switch_after=5, dropout=0.3),
    projector=dict(dropout=0.3),
    generator=dict(schedule=dict(num_steps=200), noise_predictor=dict(hidden_dim=128, dropout=0.0)))
