"""MBT on the synthetic data set, 20 shots.

python tools/train.py configs/mbt/mbt_synth_20shot.py
"""

_base_ = ['./mbt_synth_5shot.py']
num_shots = 20
