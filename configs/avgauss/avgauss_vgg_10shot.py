"""AV-Gauss on VGGSound-FSL, 10 shots.

python tools/train.py configs/avgauss/avgauss_vgg_10shot.py
"""

_base_ = ['./avgauss_vgg_5shot.py']
num_shots = 10
