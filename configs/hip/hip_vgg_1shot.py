"""HiP on VGGSound-FSL, 1 shot.

python tools/train.py configs/hip/hip_vgg_1shot.py
"""

_base_ = ['./hip_vgg_5shot.py']
num_shots = 1
