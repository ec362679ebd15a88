"""Zorro on the synthetic data set, 20 shots.

python tools/train.py configs/zorro/zorro_synth_20shot.py
"""

_base_ = ['./zorro_synth_5shot.py']
num_shots = 20
