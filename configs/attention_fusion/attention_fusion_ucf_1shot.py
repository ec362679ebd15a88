"""Attention Fusion on UCF-FSL, 1 shot (AV-DIFF, Table 2: HM 37.39, FSL 36.88; not run by us).

python tools/train.py configs/attention_fusion/attention_fusion_ucf_1shot.py
"""
_base_ = [
    '../_base_/models/attention_fusion.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
data_preprocessor = dict(pool_time=True)
