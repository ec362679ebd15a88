"""AV-DIFF with a generator that has learned: fitted alone to the frozen features, to which the head is fitted too.

Without a projector, c_o keeps more of what distinguishes novel classes. Chosen on the validation split of synth.
"""

_base_ = ['./avdiff.py']
method = 'AV-DIFF (fitted generator)'
model = dict(
    projector=None,
    head=dict(
        _delete_=True,
        type='LogisticHead',
        inverse_penalty=0.1,
        synthetic_per_class=300,
        synthetic_share=0.5,
    ),
    generator=dict(
        _delete_=True,
        type='FeatureDiffusion',
        schedule=dict(type='CosineSchedule', num_steps=200),
        noise_predictor=dict(type='EmbeddedPredictor', hidden_dim=512, num_layers=2),
        prediction='v',
        sampler='dpm_solver++',
        sample_steps=20,
        condition_dropout=0.1,
        steps=6000,
        batch_size=64,
        lr=1e-3,
    ),
)
