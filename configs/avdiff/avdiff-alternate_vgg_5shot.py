"""AV-DIFF on VGGSound-FSL, 5 shots, with self and full attention by turns.

python tools/train.py configs/avdiff/avdiff-alternate_vgg_5shot.py
"""

_base_ = ['./avdiff_vgg_5shot.py']
method = 'AV-DIFF (alternate)'
model = dict(fusion=dict(pattern='alternate', switch_after=0))
