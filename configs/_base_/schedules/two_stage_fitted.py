"""The curriculum for methods whose parts are fitted: each sub-stage fits them anew, and no epoch trains."""

_base_ = ['./two_stage.py']
curriculum = dict(
    base=dict(max_epochs=0, fit=('projector', 'generator', 'head')),
    full=dict(max_epochs=0, fit=('projector', 'generator', 'head'), freeze=()),
)
param_scheduler = None
