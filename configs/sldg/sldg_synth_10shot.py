"""SLDG on the synthetic data set, 10 shots.

python tools/train.py configs/sldg/sldg_synth_10shot.py
"""

_base_ = ['./sldg_synth_5shot.py']
num_shots = 10
