"""AV-DIFF on UCF-FSL, 5 shots, without a generator.

python tools/train.py configs/avdiff/avdiff-nogen_ucf_5shot.py
"""

_base_ = ['./avdiff_ucf_5shot.py']
method = 'AV-DIFF (no generator)'
model = dict(generator=None, conditioner=None)
