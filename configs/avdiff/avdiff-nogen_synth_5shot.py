"""AV-DIFF on the synthetic data set, 5 shots, without a generator.

python tools/train.py configs/avdiff/avdiff-nogen_synth_5shot.py
"""

_base_ = ['./avdiff_synth_5shot.py']
method = 'AV-DIFF (no generator)'
model = dict(generator=None, conditioner=None)
