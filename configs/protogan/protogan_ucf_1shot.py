"""ProtoGAN on UCF-FSL, 1 shot.

python tools/train.py configs/protogan/protogan_ucf_1shot.py
"""

_base_ = ['./protogan_ucf_5shot.py']
num_shots = 1
