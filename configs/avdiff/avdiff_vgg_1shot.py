"""AV-DIFF on VGGSound-FSL, 1 shot.

python tools/train.py configs/avdiff/avdiff_vgg_1shot.py
"""

_base_ = ['./avdiff_vgg_5shot.py']
num_shots = 1
model = dict(
    encoders=dict(audio=dict(dropout=0.3), visual=dict(dropout=0.3)),
    embedding=dict(dropout=0.3),
    fusion=dict(dropout=0.3),
    projector=dict(dropout=0.3),
    generator=dict(schedule=dict(num_steps=200)),
)
