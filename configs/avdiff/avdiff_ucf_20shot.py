"""AV-DIFF on UCF-FSL, 20 shots (the paper has it in its supplement; not run by us).

python tools/train.py configs/avdiff/avdiff_ucf_20shot.py
"""
_base_ = [
    '../_base_/models/avdiff.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 20
model = dict(
    encoders=dict(audio=dict(dropout=0.1), visual=dict(dropout=0.1)),
    embedding=dict(dropout=0.1),
    fusion=dict(depth=4, switch_after=2, dropout=0.2),
    projector=dict(dropout=0.2),
    generator=dict(schedule=dict(num_steps=200), noise_predictor=dict(hidden_dim=256, dropout=0.1)))
