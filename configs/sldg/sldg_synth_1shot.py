"""SLDG on the synthetic data set, 1 shot.

python tools/train.py configs/sldg/sldg_synth_1shot.py
"""

_base_ = ['./sldg_synth_5shot.py']
num_shots = 1
