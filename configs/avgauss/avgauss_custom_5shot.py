"""AV-Gauss on a feature store of your own, 5 shots.

python tools/train.py configs/avgauss/avgauss_custom_5shot.py --cfg-options data_root=data/mine
"""

_base_ = [
    '../_base_/models/avgauss.py',
    '../_base_/datasets/custom.py',
    '../_base_/schedules/two_stage_fitted.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
data_preprocessor = dict(time_bins=1, gain=dict(audio=0.5))
# Averages over time cost little, so long videos are used whole.
train_dataloader = dict(dataset=dict(window=None))
val_dataloader = dict(dataset=dict(window=None))
test_dataloader = dict(dataset=dict(window=None))
