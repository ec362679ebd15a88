"""HiP on the synthetic data set, 1 shot.

python tools/train.py configs/hip/hip_synth_1shot.py
"""

_base_ = ['./hip_synth_5shot.py']
num_shots = 1
