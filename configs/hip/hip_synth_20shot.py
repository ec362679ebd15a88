"""HiP on the synthetic data set, 20 shots.

python tools/train.py configs/hip/hip_synth_20shot.py
"""

_base_ = ['./hip_synth_5shot.py']
num_shots = 20
