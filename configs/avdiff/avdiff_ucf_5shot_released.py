"""AV-DIFF on UCF-FSL, 5 shots, with every quirk and defect of the released code switched on (docs/faithfulness.md).

Only to compare with the released code's numbers. The store holds 48 of the data set's 101 classes: set
model.conditioner.class_list to the released class-split/all_class.txt, whose order scrambles the class vectors.

python tools/train.py configs/avdiff/avdiff_ucf_5shot_released.py \
    --cfg-options model.conditioner.class_list=downloads/UCF/class-split/all_class.txt
"""
_base_ = [
    '../_base_/models/avdiff.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage_released.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
model = dict(
    encoders=dict(audio=dict(dropout=0.2), visual=dict(dropout=0.2)),
    embedding=dict(dropout=0.1),
    fusion=dict(depth=4, switch_after=2, dropout=0.1),
    projector=dict(dropout=0.1),
    conditioner=dict(order='released'),
    generator=dict(schedule=dict(num_steps=200), noise_predictor=dict(hidden_dim=128, dropout=0.0)))
custom_hooks = [dict(type='FitHook'), dict(type='SyncBuffersHook'), dict(type='ExtraForwardHook')]
