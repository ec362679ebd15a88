"""AV-Gauss without its generator, on a feature store of your own, 10 shots.

python tools/train.py configs/avgauss/avgauss-nogen_custom_10shot.py --cfg-options data_root=data/mine
"""

_base_ = ['./avgauss-nogen_custom_5shot.py']
num_shots = 10
