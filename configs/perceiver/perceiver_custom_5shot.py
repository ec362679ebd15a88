"""Perceiver on a feature store of your own, 5 shots.

python tools/train.py configs/perceiver/perceiver_custom_5shot.py --cfg-options data_root=data/mine
"""

_base_ = [
    '../_base_/models/perceiver.py',
    '../_base_/datasets/custom.py',
    '../_base_/schedules/two_stage_custom.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
