"""TCAF on a feature store of your own, 10 shots.

python tools/train.py configs/tcaf/tcaf_custom_10shot.py --cfg-options data_root=data/mine
"""

_base_ = ['./tcaf_custom_5shot.py']
num_shots = 10
