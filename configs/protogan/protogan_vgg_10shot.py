"""ProtoGAN on VGGSound-FSL, 10 shots.

python tools/train.py configs/protogan/protogan_vgg_10shot.py
"""

_base_ = ['./protogan_vgg_5shot.py']
num_shots = 10
