"""AV-DIFF on UCF-FSL, 5 shots, with class prototypes in place of word vectors.

AV-DIFF, Table 6: HM 56.26, FSL 44.78; not run by us.
python tools/train.py configs/avdiff/avdiff-avprot_ucf_5shot.py
"""
_base_ = ['./avdiff_ucf_5shot.py']
method = 'AV-DIFF (av_prot)'
model = dict(conditioner=dict(_delete_=True, type='Prototype'))
