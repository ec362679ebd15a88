"""AV-DIFF on the synthetic data set, 5 shots, with class prototypes in place of word vectors.

python tools/train.py configs/avdiff/avdiff-avprot_synth_5shot.py
"""

_base_ = ['./avdiff_synth_5shot.py']
method = 'AV-DIFF (av_prot)'
model = dict(conditioner=dict(_delete_=True, type='Prototype'))
