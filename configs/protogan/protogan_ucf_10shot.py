"""ProtoGAN on UCF-FSL, 10 shots.

python tools/train.py configs/protogan/protogan_ucf_10shot.py
"""

_base_ = ['./protogan_ucf_5shot.py']
num_shots = 10
