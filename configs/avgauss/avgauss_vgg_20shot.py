"""AV-Gauss on VGGSound-FSL, 20 shots.

python tools/train.py configs/avgauss/avgauss_vgg_20shot.py
"""

_base_ = ['./avgauss_vgg_5shot.py']
num_shots = 20
