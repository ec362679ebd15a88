"""Perceiver on the synthetic data set, 10 shots.

python tools/train.py configs/perceiver/perceiver_synth_10shot.py
"""

_base_ = ['./perceiver_synth_5shot.py']
num_shots = 10
