"""SLDG on UCF-FSL, 1 shot (AV-DIFF, Table 2: HM 39.92, FSL 28.91; not run by us).

python tools/train.py configs/sldg/sldg_ucf_1shot.py
"""
_base_ = [
    '../_base_/models/sldg.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
