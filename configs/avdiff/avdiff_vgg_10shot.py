"""AV-DIFF on VGGSound-FSL, 10 shots.

python tools/train.py configs/avdiff/avdiff_vgg_10shot.py
"""

_base_ = ['./avdiff_vgg_5shot.py']
num_shots = 10
model = dict(encoders=dict(audio=dict(dropout=0.1), visual=dict(dropout=0.1)))
