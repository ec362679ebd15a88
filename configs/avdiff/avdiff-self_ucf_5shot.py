"""AV-DIFF on UCF-FSL, 5 shots, with attention within modalities only.

python tools/train.py configs/avdiff/avdiff-self_ucf_5shot.py
"""

_base_ = ['./avdiff_ucf_5shot.py']
method = 'AV-DIFF (self attention)'
model = dict(fusion=dict(pattern='self', switch_after=0))
