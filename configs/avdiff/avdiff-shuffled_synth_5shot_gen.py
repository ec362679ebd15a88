"""AV-DIFF with a fitted generator that is given the vectors of other classes, on the synthetic data set, 5 shots.

python tools/train.py configs/avdiff/avdiff-shuffled_synth_5shot_gen.py
"""

_base_ = ['./avdiff_synth_5shot_gen.py']
method = 'AV-DIFF (fitted generator, class vectors shuffled)'
model = dict(conditioner=dict(order='shuffled'))
