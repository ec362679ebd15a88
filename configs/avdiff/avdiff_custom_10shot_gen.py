"""AV-DIFF with a fitted generator on a feature store of your own, 10 shots.

python tools/train.py configs/avdiff/avdiff_custom_10shot_gen.py --cfg-options data_root=data/mine
"""

_base_ = ['./avdiff_custom_5shot_gen.py']
num_shots = 10
