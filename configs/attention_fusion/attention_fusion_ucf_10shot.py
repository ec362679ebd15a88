"""Attention Fusion on UCF-FSL, 10 shots (AV-DIFF, Table 2: HM 57.91, FSL 52.19; not run by us).

python tools/train.py configs/attention_fusion/attention_fusion_ucf_10shot.py
"""
_base_ = [
    '../_base_/models/attention_fusion.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
data_preprocessor = dict(pool_time=True)
