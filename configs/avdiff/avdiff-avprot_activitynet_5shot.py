"""AV-DIFF on ActivityNet-FSL, 5 shots, with class prototypes in place of word vectors.

python tools/train.py configs/avdiff/avdiff-avprot_activitynet_5shot.py
"""

_base_ = ['./avdiff_activitynet_5shot.py']
method = 'AV-DIFF (av_prot)'
model = dict(conditioner=dict(_delete_=True, type='Prototype'))
