"""MBT on UCF-FSL, 1 shot (AV-DIFF, Table 2: HM 39.65, FSL 27.99; not run by us).

python tools/train.py configs/mbt/mbt_ucf_1shot.py
"""
_base_ = [
    '../_base_/models/mbt.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
