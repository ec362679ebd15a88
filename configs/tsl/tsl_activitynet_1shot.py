"""TSL on ActivityNet-FSL, 1 shot (AV-DIFF, Table 2: HM 9.53, FSL 10.77; not run by us).

python tools/train.py configs/tsl/tsl_activitynet_1shot.py
"""
_base_ = [
    '../_base_/models/tsl.py',
    '../_base_/datasets/activitynet_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
curriculum = dict(full=dict(freeze=('projector',)))  # the segment encoder
