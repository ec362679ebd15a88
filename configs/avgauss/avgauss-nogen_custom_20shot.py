"""AV-Gauss without its generator, on a feature store of your own, 20 shots.

python tools/train.py configs/avgauss/avgauss-nogen_custom_20shot.py --cfg-options data_root=data/mine
"""

_base_ = ['./avgauss-nogen_custom_5shot.py']
num_shots = 20
