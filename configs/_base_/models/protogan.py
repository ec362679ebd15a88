"""ProtoGAN (Dwivedi et al. 2019): a GAN conditioned on class prototypes generates temporal means for novel classes.

Its leaf configs average the features over time (`data_preprocessor.pool_time`).
"""

method = 'ProtoGAN'
model = dict(
    type='AVClassifier',
    encoders=dict(audio=dict(type='Identity'), visual=dict(type='Identity')),
    fusion=dict(type='ConcatFusion'),
    head=dict(
        type='ProjectedHead',
        projector=dict(type='MLP', hidden_dim=512, out_dim=64, dropout=0.2),
        head=dict(type='LinearHead'),
    ),
    conditioner=dict(type='Prototype'),
    generator=dict(
        type='WGANGP',
        noise_dim=300,
        generator_hidden=1024,
        critic_hidden=512,
        condition_width=512,
        output='relu',
        n_critic=5,
        gp_weight=10.0,
        cls_weight=1.0,
        lr=1e-4,
        betas=(0.5, 0.999),
        init_std=0.02,
    ),
)
