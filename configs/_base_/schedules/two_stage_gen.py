"""The curriculum of the fitted generator, for the synthetic data set: base epochs, then generator and head are fitted.

In the full sub-stage nothing trains by epochs; the parts before the generator are frozen, so their features are stored.
"""

_base_ = ['./two_stage_short.py']
curriculum = dict(
    full=dict(max_epochs=0, fit=('generator', 'head'), frozen_mode='eval'),
    calibration='offset',
)
