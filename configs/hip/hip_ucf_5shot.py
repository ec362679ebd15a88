"""HiP on UCF-FSL, 5 shots (AV-DIFF, Table 2: HM 36.44, FSL 42.23; not run by us).

python tools/train.py configs/hip/hip_ucf_5shot.py
"""
_base_ = [
    '../_base_/models/hip.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
