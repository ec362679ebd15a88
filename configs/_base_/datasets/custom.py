"""Your own feature store: signed features of any width, each step scaled to unit length.

Time and memory grow with the square of the steps, so videos with more than 512 steps are cut to a window of 512.
"""

_base_ = ['./gfsl.py']
data_root = 'data/custom'
data_preprocessor = dict(type='AVPreprocessor', norm=dict(audio='l2_feature', visual='l2_feature'))
train_dataloader = dict(
    batch_sampler=dict(num_batches=None),  # An epoch draws each base video about once.
    dataset=dict(window=dict(steps=512, position='random', long_only=True)),
)
val_dataloader = dict(dataset=dict(window=dict(steps=512, position='center', long_only=True)))
test_dataloader = val_dataloader
