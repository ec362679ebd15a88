"""TSL on VGGSound-FSL, 10 shots (AV-DIFF, Table 2: HM 21.93, FSL 31.29; not run by us).

python tools/train.py configs/tsl/tsl_vgg_10shot.py
"""
_base_ = [
    '../_base_/models/tsl.py',
    '../_base_/datasets/vgg_fsl.py',
    '../_base_/schedules/two_stage_vgg.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
curriculum = dict(full=dict(freeze=('projector',)))  # the segment encoder
