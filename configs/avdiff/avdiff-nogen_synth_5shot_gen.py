"""AV-DIFF with the settings of the fitted generator, but without one, on the synthetic data set, 5 shots.

python tools/train.py configs/avdiff/avdiff-nogen_synth_5shot_gen.py
"""

_base_ = ['./avdiff_synth_5shot_gen.py']
method = 'AV-DIFF (no generator)'
model = dict(generator=None, conditioner=None)
curriculum = dict(full=dict(fit=('head',)))
