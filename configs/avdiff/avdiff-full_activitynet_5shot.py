"""AV-DIFF on ActivityNet-FSL, 5 shots, with full attention in every layer.

python tools/train.py configs/avdiff/avdiff-full_activitynet_5shot.py
"""

_base_ = ['./avdiff_activitynet_5shot.py']
method = 'AV-DIFF (full attention)'
model = dict(fusion=dict(pattern='full', switch_after=0))
