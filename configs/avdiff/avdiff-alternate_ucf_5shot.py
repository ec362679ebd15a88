"""AV-DIFF on UCF-FSL, 5 shots, alternating self-attention and full attention.

python tools/train.py configs/avdiff/avdiff-alternate_ucf_5shot.py
"""

_base_ = ['./avdiff_ucf_5shot.py']
method = 'AV-DIFF (alternate)'
model = dict(fusion=dict(pattern='alternate', switch_after=0))
