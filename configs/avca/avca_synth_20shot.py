"""AVCA on the synthetic data set, 20 shots.

python tools/train.py configs/avca/avca_synth_20shot.py
"""

_base_ = ['./avca_synth_5shot.py']
num_shots = 20
