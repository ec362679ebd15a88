"""AVCA on UCF-FSL, 10 shots (AV-DIFF, Table 2: HM 50.53, FSL 39.17; not run by us).

python tools/train.py configs/avca/avca_ucf_10shot.py
"""
_base_ = [
    '../_base_/models/avca.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
data_preprocessor = dict(pool_time=True, norm=dict(visual=None))
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # released AVCA code
