"""ProtoGAN on the synthetic data set, 20 shots.

python tools/train.py configs/protogan/protogan_synth_20shot.py
"""

_base_ = ['./protogan_synth_5shot.py']
num_shots = 20
