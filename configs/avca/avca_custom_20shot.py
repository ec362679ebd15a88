"""AVCA on a feature store of your own, 20 shots.

python tools/train.py configs/avca/avca_custom_20shot.py --cfg-options data_root=data/mine
"""
_base_ = [
    '../_base_/models/avca.py',
    '../_base_/datasets/custom.py',
    '../_base_/schedules/two_stage_custom.py',
    '../_base_/default_runtime.py',
]
num_shots = 20
data_preprocessor = dict(pool_time=True)
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # released AVCA code
