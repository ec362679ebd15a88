"""AV-DIFF on the synthetic data set, 5 shots, with attention within modalities only.

python tools/train.py configs/avdiff/avdiff-self_synth_5shot.py
"""

_base_ = ['./avdiff_synth_5shot.py']
method = 'AV-DIFF (self attention)'
model = dict(fusion=dict(pattern='self', switch_after=0))
