"""ActivityNet-FSL: like UCF-FSL, with long videos cut to a window (AV-DIFF, sec. 5.1)."""

_base_ = ['./gfsl.py']
data_root = 'data/activitynet_fsl'
data_preprocessor = dict(type='AVPreprocessor', scale=dict(audio=255.0), norm=dict(visual='l2_time'))
train_dataloader = dict(batch_size=32, dataset=dict(window=dict(steps=60, position='random')))
# The released code validates on 30 steps; the paper only mentions 300 steps for evaluation.
val_dataloader = dict(dataset=dict(window=dict(steps=30, position='center')))
test_dataloader = dict(dataset=dict(window=dict(steps=300, position='center')))
auto_scale_lr = dict(base_batch_size=32)
