"""ProtoGAN on VGGSound-FSL, 10 shots (AV-DIFF, Table 2: HM 29.85, FSL 34.80; not run by us).

python tools/train.py configs/protogan/protogan_vgg_10shot.py
"""
_base_ = [
    '../_base_/models/protogan.py',
    '../_base_/datasets/vgg_fsl.py',
    '../_base_/schedules/two_stage_vgg.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
data_preprocessor = dict(pool_time=True)
