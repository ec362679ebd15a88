"""MBT on UCF-FSL, 5 shots (AV-DIFF, Table 2: HM 46.55, FSL 34.53; not run by us).

python tools/train.py configs/mbt/mbt_ucf_5shot.py
"""
_base_ = [
    '../_base_/models/mbt.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
