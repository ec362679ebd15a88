"""AV-DIFF on the synthetic data set, 5 shots, with attention across modalities only, as in TCAF.

python tools/train.py configs/avdiff/avdiff-cross_synth_5shot.py
"""

_base_ = ['./avdiff_synth_5shot.py']
method = 'AV-DIFF (cross attention)'
model = dict(fusion=dict(pattern='cross', switch_after=0))
