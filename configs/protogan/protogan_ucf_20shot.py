"""ProtoGAN on UCF-FSL, 20 shots.

python tools/train.py configs/protogan/protogan_ucf_20shot.py
"""

_base_ = ['./protogan_ucf_5shot.py']
num_shots = 20
