"""AV-Gauss without its generator, on the synthetic data set, 10 shots.

python tools/train.py configs/avgauss/avgauss-nogen_synth_10shot.py
"""

_base_ = ['./avgauss-nogen_synth_5shot.py']
num_shots = 10
