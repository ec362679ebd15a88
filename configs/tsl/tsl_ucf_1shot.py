"""TSL on UCF-FSL, 1 shot (AV-DIFF, Table 2: HM 44.51, FSL 35.17; not run by us).

python tools/train.py configs/tsl/tsl_ucf_1shot.py
"""
_base_ = [
    '../_base_/models/tsl.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
curriculum = dict(full=dict(freeze=('projector',)))  # the segment encoder
