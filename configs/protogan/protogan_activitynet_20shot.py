"""ProtoGAN on ActivityNet-FSL, 20 shots.

python tools/train.py configs/protogan/protogan_activitynet_20shot.py
"""

_base_ = ['./protogan_activitynet_5shot.py']
num_shots = 20
