"""Zorro on the synthetic data set, 10 shots.

python tools/train.py configs/zorro/zorro_synth_10shot.py
"""

_base_ = ['./zorro_synth_5shot.py']
num_shots = 10
