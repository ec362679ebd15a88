"""AV-DIFF on ActivityNet-FSL, 5 shots, with every quirk of the released code that a config can set.

Only to compare with the released code's numbers (docs/faithfulness.md), on a store made with --text-order
released. Set model.conditioner.class_list to the
released class-split/all_class.txt if the store holds fewer classes.

python tools/train.py configs/avdiff/avdiff_activitynet_5shot_released.py
"""

_base_ = ['./avdiff_activitynet_5shot.py']
curriculum = dict(gamma_epoch='last', zero_gamma='search_test', lr_drops='counter')
train_dataloader = dict(dataset=dict(window=dict(audio_length='released', last_start=False)))
val_dataloader = dict(dataset=dict(window=dict(audio_length='released')))
test_dataloader = dict(dataset=dict(window=dict(audio_length='released')))
model = dict(conditioner=dict(order='released'))
custom_hooks = [dict(type='FitHook'), dict(type='SyncBuffersHook'), dict(type='ExtraForwardHook')]
