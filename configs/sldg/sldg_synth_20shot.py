"""SLDG on the synthetic data set, 20 shots.

python tools/train.py configs/sldg/sldg_synth_20shot.py
"""

_base_ = ['./sldg_synth_5shot.py']
num_shots = 20
