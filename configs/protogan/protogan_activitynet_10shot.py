"""ProtoGAN on ActivityNet-FSL, 10 shots (AV-DIFF, Table 2: HM 4.05, FSL 8.81; not run by us).

python tools/train.py configs/protogan/protogan_activitynet_10shot.py
"""
_base_ = [
    '../_base_/models/protogan.py',
    '../_base_/datasets/activitynet_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
data_preprocessor = dict(pool_time=True)
