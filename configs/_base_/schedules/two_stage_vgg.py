"""The curriculum for VGGSound-FSL: no plateau scheduler, and Adam keeps its moments (released code)."""

_base_ = ['./two_stage.py']
curriculum = dict(full=dict(carry_optimizer=True))
optim_wrapper = dict(optimizer=dict(lr=6e-5))
param_scheduler = None
