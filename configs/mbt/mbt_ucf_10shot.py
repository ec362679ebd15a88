"""MBT on UCF-FSL, 10 shots (AV-DIFF, Table 2: HM 50.04, FSL 39.73; not run by us).

python tools/train.py configs/mbt/mbt_ucf_10shot.py
"""
_base_ = [
    '../_base_/models/mbt.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
