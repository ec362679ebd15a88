"""ProtoGAN on VGGSound-FSL, 1 shot.

python tools/train.py configs/protogan/protogan_vgg_1shot.py
"""

_base_ = ['./protogan_vgg_5shot.py']
num_shots = 1
