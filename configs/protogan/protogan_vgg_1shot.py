"""ProtoGAN on VGGSound-FSL, 1 shot (AV-DIFF, Table 2: HM 10.74, FSL 14.08; not run by us).

python tools/train.py configs/protogan/protogan_vgg_1shot.py
"""
_base_ = [
    '../_base_/models/protogan.py',
    '../_base_/datasets/vgg_fsl.py',
    '../_base_/schedules/two_stage_vgg.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
data_preprocessor = dict(pool_time=True)
