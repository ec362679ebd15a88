"""AV-DIFF on UCF-FSL, 1 shot.

python tools/train.py configs/avdiff/avdiff_ucf_1shot.py
"""

_base_ = ['./avdiff_ucf_5shot.py']
num_shots = 1
model = dict(generator=dict(schedule=dict(num_steps=300), noise_predictor=dict(hidden_dim=64)))
