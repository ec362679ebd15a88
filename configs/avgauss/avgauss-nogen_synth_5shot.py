"""AV-Gauss without its generator, on the synthetic data set, 5 shots.

python tools/train.py configs/avgauss/avgauss-nogen_synth_5shot.py
"""

_base_ = ['./avgauss_synth_5shot.py']
method = 'AV-Gauss (no generator)'
model = dict(generator=None, conditioner=None, head=dict(heads=[dict(type='LogisticHead', power=0.25)]))
curriculum = dict(
    base=dict(fit=('projector', 'head')),
    full=dict(fit=('projector', 'head')),
    choices=[
        [{'data_preprocessor.time_bins': bins} for bins in (1, 3, 5, 9)],
        [{f'data_preprocessor.norm.{m}': norm for m in ('audio', 'visual')} for norm in ('l2_feature', 'z_score')],
        [{'data_preprocessor.gain.audio': gain} for gain in (0.25, 0.5, 1.0, 2.0)],
        [
            {'model.head.heads': [dict(type='LogisticHead', power=0.25)]},
            {
                'model.head.heads': [
                    dict(type='LogisticHead', power=0.25),
                    dict(type='LogisticHead', power=0.0, num_dims=2048),
                ]
            },
        ],
    ],
)
