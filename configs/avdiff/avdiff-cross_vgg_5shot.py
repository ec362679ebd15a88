"""AV-DIFF on VGGSound-FSL, 5 shots, with attention across modalities only, as in TCAF.

python tools/train.py configs/avdiff/avdiff-cross_vgg_5shot.py
"""

_base_ = ['./avdiff_vgg_5shot.py']
method = 'AV-DIFF (cross attention)'
model = dict(fusion=dict(pattern='cross', switch_after=0))
