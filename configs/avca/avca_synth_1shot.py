"""AVCA on the synthetic data set, 1 shot.

python tools/train.py configs/avca/avca_synth_1shot.py
"""

_base_ = ['./avca_synth_5shot.py']
num_shots = 1
