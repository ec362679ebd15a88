"""TSL on UCF-FSL, 10 shots (AV-DIFF, Table 2: HM 60.93, FSL 55.63; not run by us).

python tools/train.py configs/tsl/tsl_ucf_10shot.py
"""
_base_ = [
    '../_base_/models/tsl.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
curriculum = dict(full=dict(freeze=('projector',)))  # the segment encoder
