"""AV-DIFF on the synthetic data set, 5 shots, with full attention in every layer.

python tools/train.py configs/avdiff/avdiff-full_synth_5shot.py
"""

_base_ = ['./avdiff_synth_5shot.py']
method = 'AV-DIFF (full attention)'
model = dict(fusion=dict(pattern='full', switch_after=0))
