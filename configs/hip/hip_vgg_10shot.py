"""HiP on VGGSound-FSL, 10 shots.

python tools/train.py configs/hip/hip_vgg_10shot.py
"""

_base_ = ['./hip_vgg_5shot.py']
num_shots = 10
