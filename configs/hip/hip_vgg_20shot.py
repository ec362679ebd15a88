"""HiP on VGGSound-FSL, 20 shots.

python tools/train.py configs/hip/hip_vgg_20shot.py
"""

_base_ = ['./hip_vgg_5shot.py']
num_shots = 20
