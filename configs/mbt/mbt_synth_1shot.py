"""MBT on the synthetic data set, 1 shot.

python tools/train.py configs/mbt/mbt_synth_1shot.py
"""

_base_ = ['./mbt_synth_5shot.py']
num_shots = 1
