"""SLDG on UCF-FSL, 10 shots (AV-DIFF, Table 2: HM 34.31, FSL 26.96; not run by us).

python tools/train.py configs/sldg/sldg_ucf_10shot.py
"""
_base_ = [
    '../_base_/models/sldg.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
