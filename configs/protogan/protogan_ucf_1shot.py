"""ProtoGAN on UCF-FSL, 1 shot (AV-DIFF, Table 2: HM 37.95, FSL 28.08; not run by us).

python tools/train.py configs/protogan/protogan_ucf_1shot.py
"""
_base_ = [
    '../_base_/models/protogan.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
data_preprocessor = dict(pool_time=True)
