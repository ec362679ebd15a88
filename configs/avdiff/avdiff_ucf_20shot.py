"""AV-DIFF on UCF-FSL, 20 shots.

python tools/train.py configs/avdiff/avdiff_ucf_20shot.py
"""

_base_ = ['./avdiff_ucf_5shot.py']
num_shots = 20
model = dict(
    encoders=dict(audio=dict(dropout=0.1), visual=dict(dropout=0.1)),
    fusion=dict(dropout=0.2),
    projector=dict(dropout=0.2),
    generator=dict(noise_predictor=dict(hidden_dim=256, dropout=0.1)),
)
