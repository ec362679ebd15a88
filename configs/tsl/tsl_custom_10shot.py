"""TSL on a feature store of your own, 10 shots.

python tools/train.py configs/tsl/tsl_custom_10shot.py --cfg-options data_root=data/mine
"""

_base_ = ['./tsl_custom_5shot.py']
num_shots = 10
