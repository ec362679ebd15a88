"""AVCA on ActivityNet-FSL, 5 shots.

python tools/train.py configs/avca/avca_activitynet_5shot.py
"""

_base_ = [
    '../_base_/models/avca.py',
    '../_base_/datasets/activitynet_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
data_preprocessor = dict(pool_time=True, norm=dict(visual=None))
model = dict(projector=dict(dropout=0.2), head=dict(dropout=0.1))
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # released AVCA code
