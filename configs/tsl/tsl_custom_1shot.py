"""TSL on a feature store of your own, 1 shot.

python tools/train.py configs/tsl/tsl_custom_1shot.py --cfg-options data_root=data/mine
"""

_base_ = ['./tsl_custom_5shot.py']
num_shots = 1
