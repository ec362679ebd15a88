"""AV-DIFF on ActivityNet-FSL, 5 shots, without a generator.

python tools/train.py configs/avdiff/avdiff-nogen_activitynet_5shot.py
"""

_base_ = ['./avdiff_activitynet_5shot.py']
method = 'AV-DIFF (no generator)'
model = dict(generator=None, conditioner=None)
