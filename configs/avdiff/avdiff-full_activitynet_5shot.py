"""AV-DIFF on ActivityNet-FSL, 5 shots, with full attention in every layer.

AV-DIFF, Table 3: HM 22.57, FSL 22.53; not run by us.
python tools/train.py configs/avdiff/avdiff-full_activitynet_5shot.py
"""
_base_ = ['./avdiff_activitynet_5shot.py']
method = 'AV-DIFF (full attention)'
model = dict(fusion=dict(pattern='full', switch_after=0))
