"""AV-DIFF on UCF-FSL, 10 shots.

python tools/train.py configs/avdiff/avdiff_ucf_10shot.py
"""

_base_ = ['./avdiff_ucf_5shot.py']
num_shots = 10
model = dict(projector=dict(dropout=0.2), generator=dict(schedule=dict(num_steps=300)))
