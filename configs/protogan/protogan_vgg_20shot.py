"""ProtoGAN on VGGSound-FSL, 20 shots.

python tools/train.py configs/protogan/protogan_vgg_20shot.py
"""

_base_ = ['./protogan_vgg_5shot.py']
num_shots = 20
