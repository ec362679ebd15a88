"""AV-DIFF on ActivityNet-FSL, 5 shots, with every quirk and defect of the released code (docs/faithfulness.md).

Only to compare with the released code's numbers. Set model.conditioner.class_list to the released
class-split/all_class.txt if the store holds fewer classes.

python tools/train.py configs/avdiff/avdiff_activitynet_5shot_released.py
"""
_base_ = [
    '../_base_/models/avdiff.py',
    '../_base_/datasets/activitynet_fsl.py',
    '../_base_/schedules/two_stage_released.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
train_dataloader = dict(dataset=dict(window=dict(audio_length='released', last_start=False)))
val_dataloader = dict(dataset=dict(window=dict(audio_length='released')))
test_dataloader = dict(dataset=dict(window=dict(audio_length='released')))
model = dict(
    encoders=dict(audio=dict(dropout=0.3), visual=dict(dropout=0.3)),
    embedding=dict(dropout=0.2),
    fusion=dict(depth=5, switch_after=3, dropout=0.1),
    projector=dict(dropout=0.1),
    conditioner=dict(order='released'),
    generator=dict(schedule=dict(num_steps=200), noise_predictor=dict(hidden_dim=128, dropout=0.0)))
custom_hooks = [dict(type='FitHook'), dict(type='SyncBuffersHook'), dict(type='ExtraForwardHook')]
