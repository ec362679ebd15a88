"""ProtoGAN on ActivityNet-FSL, 1 shot.

python tools/train.py configs/protogan/protogan_activitynet_1shot.py
"""

_base_ = ['./protogan_activitynet_5shot.py']
num_shots = 1
