"""The curriculum for the fitted generator, for a few thousand videos of your own."""

_base_ = ['./two_stage_gen.py']
curriculum = dict(base=dict(max_epochs=6))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
