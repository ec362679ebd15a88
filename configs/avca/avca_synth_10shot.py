"""AVCA on the synthetic data set, 10 shots.

python tools/train.py configs/avca/avca_synth_10shot.py
"""

_base_ = ['./avca_synth_5shot.py']
num_shots = 10
