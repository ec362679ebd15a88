"""The curriculum for the fitted generator on the synthetic data set: base epochs, then generator and head are fitted.

The full sub-stage has no training epochs; the parts before the generator are frozen, so their features are stored.
"""

_base_ = ['./two_stage_short.py']
curriculum = dict(
    full=dict(max_epochs=0, fit=('generator', 'head'), frozen_mode='eval'),
    calibration='offset',
)
