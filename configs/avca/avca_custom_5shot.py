"""AVCA on a feature store of your own, 5 shots.

python tools/train.py configs/avca/avca_custom_5shot.py --cfg-options data_root=data/mine
"""

_base_ = [
    '../_base_/models/avca.py',
    '../_base_/datasets/custom.py',
    '../_base_/schedules/two_stage_custom.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
data_preprocessor = dict(pool_time=True)
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # released AVCA code
# Averages over time cost little, so long videos are used whole.
train_dataloader = dict(dataset=dict(window=None))
val_dataloader = dict(dataset=dict(window=None))
test_dataloader = dict(dataset=dict(window=None))
