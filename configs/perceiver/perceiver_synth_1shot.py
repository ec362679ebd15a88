"""Perceiver on the synthetic data set, 1 shot.

python tools/train.py configs/perceiver/perceiver_synth_1shot.py
"""

_base_ = ['./perceiver_synth_5shot.py']
num_shots = 1
