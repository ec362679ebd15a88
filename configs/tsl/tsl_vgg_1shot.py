"""TSL on VGGSound-FSL, 1 shot (AV-DIFF, Table 2: HM 18.73, FSL 22.44; not run by us).

python tools/train.py configs/tsl/tsl_vgg_1shot.py
"""
_base_ = [
    '../_base_/models/tsl.py',
    '../_base_/datasets/vgg_fsl.py',
    '../_base_/schedules/two_stage_vgg.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
curriculum = dict(full=dict(freeze=('projector',)))  # the segment encoder
