"""TSL on the synthetic data set, 20 shots.

python tools/train.py configs/tsl/tsl_synth_20shot.py
"""

_base_ = ['./tsl_synth_5shot.py']
num_shots = 20
