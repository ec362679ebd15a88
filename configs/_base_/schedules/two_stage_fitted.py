"""The curriculum for methods whose parts are fitted: each sub-stage fits them from scratch, without training epochs.

Validation in stage 1 chooses how features are prepared. Scores are logits divided by a scale that it chooses too.
"""

_base_ = ['./two_stage.py']
curriculum = dict(
    base=dict(max_epochs=0, fit=('projector', 'generator', 'head')),
    full=dict(max_epochs=0, fit=('projector', 'generator', 'head'), freeze=()),
    choices=[
        [{'data_preprocessor.time_bins': bins} for bins in (1, 3, 5, 9)],
        [{f'data_preprocessor.norm.{m}': norm for m in ('audio', 'visual')} for norm in ('l2_feature', 'z_score')],
        [{'data_preprocessor.gain.audio': gain} for gain in (0.25, 0.5, 1.0, 2.0)],
        [{'model.generator.text_ridge': ridge} for ridge in (0.2, 0.05, 1.0)],
        # With few base classes the metric is uncertain, so a head that weights all dimensions equally is tried too.
        [
            {'model.head.heads': [dict(type='GaussianHead'), dict(type='LogisticHead', power=0.25)]},
            {'model.head.heads': [dict(type='GaussianHead')]},
            {
                'model.head.heads': [
                    dict(type='GaussianHead'),
                    dict(type='LogisticHead', power=0.25),
                    dict(type='LogisticHead', power=0.0, num_dims=2048),
                ]
            },
        ],
    ],
    choose_by='AUSUC',
)
param_scheduler = None
