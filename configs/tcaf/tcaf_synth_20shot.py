"""TCAF on the synthetic data set, 20 shots.

python tools/train.py configs/tcaf/tcaf_synth_20shot.py
"""

_base_ = ['./tcaf_synth_5shot.py']
num_shots = 20
