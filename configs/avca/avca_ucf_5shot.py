"""AVCA on UCF-FSL, 5 shots.

python tools/train.py configs/avca/avca_ucf_5shot.py
"""

_base_ = [
    '../_base_/models/avca.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
data_preprocessor = dict(pool_time=True, norm=dict(visual=None))
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # released AVCA code
