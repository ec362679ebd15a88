"""TSL on the synthetic data set, 1 shot.

python tools/train.py configs/tsl/tsl_synth_1shot.py
"""

_base_ = ['./tsl_synth_5shot.py']
num_shots = 1
