"""Zorro on UCF-FSL, 10 shots (AV-DIFF, Table 2: HM 58.89, FSL 49.06; not run by us).

python tools/train.py configs/zorro/zorro_ucf_10shot.py
"""
_base_ = [
    '../_base_/models/zorro.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
