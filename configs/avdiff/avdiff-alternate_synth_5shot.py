"""AV-DIFF on the synthetic data set, 5 shots, alternating self-attention and full attention.

python tools/train.py configs/avdiff/avdiff-alternate_synth_5shot.py
"""

_base_ = ['./avdiff_synth_5shot.py']
method = 'AV-DIFF (alternate)'
model = dict(fusion=dict(pattern='alternate', switch_after=0))
