"""ProtoGAN on UCF-FSL, 10 shots (AV-DIFF, Table 2: HM 51.01, FSL 40.68; not run by us).

python tools/train.py configs/protogan/protogan_ucf_10shot.py
"""
_base_ = [
    '../_base_/models/protogan.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
data_preprocessor = dict(pool_time=True)
