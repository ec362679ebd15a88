"""A short curriculum for the small synthetic data set: a few minutes on two CPU cores."""

_base_ = ['./two_stage.py']
curriculum = dict(base=dict(max_epochs=15), full=dict(max_epochs=5))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
