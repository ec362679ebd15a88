"""AV-DIFF on VGGSound-FSL, 5 shots, with full attention in every layer.

AV-DIFF, Table 3: HM 29.98, FSL 36.55; not run by us.
python tools/train.py configs/avdiff/avdiff-full_vgg_5shot.py
"""
_base_ = ['./avdiff_vgg_5shot.py']
method = 'AV-DIFF (full attention)'
model = dict(fusion=dict(pattern='full', switch_after=0))
