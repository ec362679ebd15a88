"""AV-Gauss on a feature store of your own, 1 shot.

python tools/train.py configs/avgauss/avgauss_custom_1shot.py --cfg-options data_root=data/mine
"""

_base_ = ['./avgauss_custom_5shot.py']
num_shots = 1
