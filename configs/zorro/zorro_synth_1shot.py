"""Zorro on the synthetic data set, 1 shot.

python tools/train.py configs/zorro/zorro_synth_1shot.py
"""

_base_ = ['./zorro_synth_5shot.py']
num_shots = 1
