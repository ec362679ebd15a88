"""HiP on a feature store of your own, 20 shots.

python tools/train.py configs/hip/hip_custom_20shot.py --cfg-options data_root=data/mine
"""

_base_ = ['./hip_custom_5shot.py']
num_shots = 20
