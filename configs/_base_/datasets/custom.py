"""A feature store of your own: signed features of any width, each step scaled to unit length."""

_base_ = ['./gfsl.py']
data_root = 'data/custom'
data_preprocessor = dict(type='AVPreprocessor', norm=dict(audio='l2_feature', visual='l2_feature'))
train_dataloader = dict(batch_sampler=dict(num_batches=None))  # An epoch draws about each base video once.
