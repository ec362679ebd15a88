"""Perceiver on the synthetic data set, 20 shots.

python tools/train.py configs/perceiver/perceiver_synth_20shot.py
"""

_base_ = ['./perceiver_synth_5shot.py']
num_shots = 20
