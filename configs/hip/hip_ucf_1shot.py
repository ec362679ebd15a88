"""HiP on UCF-FSL, 1 shot (AV-DIFF, Table 2: HM 21.79, FSL 34.88; not run by us).

python tools/train.py configs/hip/hip_ucf_1shot.py
"""
_base_ = [
    '../_base_/models/hip.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
