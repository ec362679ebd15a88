"""HiP on the synthetic data set, 10 shots.

python tools/train.py configs/hip/hip_synth_10shot.py
"""

_base_ = ['./hip_synth_5shot.py']
num_shots = 10
