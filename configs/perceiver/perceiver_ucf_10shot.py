"""Perceiver on UCF-FSL, 10 shots (AV-DIFF, Table 2: HM 55.33, FSL 47.86; not run by us).

python tools/train.py configs/perceiver/perceiver_ucf_10shot.py
"""
_base_ = [
    '../_base_/models/perceiver.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
