"""AV-Gauss on VGGSound-FSL, 1 shot.

python tools/train.py configs/avgauss/avgauss_vgg_1shot.py
"""

_base_ = ['./avgauss_vgg_5shot.py']
num_shots = 1
