"""AV-Gauss without its generator, on the synthetic data set, 1 shot.

python tools/train.py configs/avgauss/avgauss-nogen_synth_1shot.py
"""

_base_ = ['./avgauss-nogen_synth_5shot.py']
num_shots = 1
