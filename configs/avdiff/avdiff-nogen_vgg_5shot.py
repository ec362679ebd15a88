"""AV-DIFF on VGGSound-FSL, 5 shots, without a generator.

python tools/train.py configs/avdiff/avdiff-nogen_vgg_5shot.py
"""

_base_ = ['./avdiff_vgg_5shot.py']
method = 'AV-DIFF (no generator)'
model = dict(generator=None, conditioner=None)
