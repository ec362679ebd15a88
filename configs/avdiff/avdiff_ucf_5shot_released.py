"""AV-DIFF on UCF-FSL, 5 shots, with every quirk of the released code that a config can set.

Only to compare with the released code's numbers (docs/faithfulness.md), on a store made with --text-order released.
The store holds 48 of the data set's 101 classes: set model.conditioner.class_list to the released
class-split/all_class.txt, whose order scrambles the class vectors.

python tools/train.py configs/avdiff/avdiff_ucf_5shot_released.py \
    --cfg-options model.conditioner.class_list=downloads/UCF/class-split/all_class.txt
"""

_base_ = ['./avdiff_ucf_5shot.py']
curriculum = dict(gamma_epoch='last', zero_gamma='search_test', lr_drops='counter')
model = dict(conditioner=dict(order='released'))
custom_hooks = [dict(type='FitHook'), dict(type='SyncBuffersHook'), dict(type='ExtraForwardHook')]
