"""TCAF on the synthetic data set, 1 shot.

python tools/train.py configs/tcaf/tcaf_synth_1shot.py
"""

_base_ = ['./tcaf_synth_5shot.py']
num_shots = 1
