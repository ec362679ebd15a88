"""SLDG on VGGSound-FSL, 1 shot (AV-DIFF, Table 2: HM 16.83, FSL 17.57; not run by us).

python tools/train.py configs/sldg/sldg_vgg_1shot.py
"""
_base_ = [
    '../_base_/models/sldg.py',
    '../_base_/datasets/vgg_fsl.py',
    '../_base_/schedules/two_stage_vgg.py',
    '../_base_/default_runtime.py',
]
num_shots = 1
model = dict(
    encoders=dict(audio=dict(dropout=0.2), visual=dict(dropout=0.2)),
    projector=dict(dropout=0.2))
