"""AVCA on UCF-FSL, 1 shot (AV-DIFF, Table 2: HM 43.61, FSL 31.24; not run by us).

python tools/train.py configs/avca/avca_ucf_1shot.py
"""
_base_ = [
    '../_base_/models/avca.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
data_preprocessor = dict(pool_time=True, norm=dict(visual=None))
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # released AVCA code
