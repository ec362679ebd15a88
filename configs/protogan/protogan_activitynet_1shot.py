"""ProtoGAN on ActivityNet-FSL, 1 shot (AV-DIFF, Table 2: HM 2.77, FSL 4.40; not run by us).

python tools/train.py configs/protogan/protogan_activitynet_1shot.py
"""
_base_ = [
    '../_base_/models/protogan.py',
    '../_base_/datasets/activitynet_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
data_preprocessor = dict(pool_time=True)
