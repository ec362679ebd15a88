"""ProtoGAN on the synthetic data set, 1 shot.

python tools/train.py configs/protogan/protogan_synth_1shot.py
"""

_base_ = ['./protogan_synth_5shot.py']
num_shots = 1
