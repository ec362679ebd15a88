"""AV-DIFF on the synthetic data set, 5 shots, with self and full attention by turns.

python tools/train.py configs/avdiff/avdiff-alternate_synth_5shot.py
"""

_base_ = ['./avdiff_synth_5shot.py']
method = 'AV-DIFF (alternate)'
model = dict(fusion=dict(pattern='alternate', switch_after=0))
