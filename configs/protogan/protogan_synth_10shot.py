"""ProtoGAN on the synthetic data set, 10 shots.

python tools/train.py configs/protogan/protogan_synth_10shot.py
"""

_base_ = ['./protogan_synth_5shot.py']
num_shots = 10
