"""ProtoGAN on ActivityNet-FSL, 10 shots.

python tools/train.py configs/protogan/protogan_activitynet_10shot.py
"""

_base_ = ['./protogan_activitynet_5shot.py']
num_shots = 10
