"""MBT on the synthetic data set, 10 shots.

python tools/train.py configs/mbt/mbt_synth_10shot.py
"""

_base_ = ['./mbt_synth_5shot.py']
num_shots = 10
