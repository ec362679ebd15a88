"""TSL (Xian et al. 2021): a linear classifier for short segments, and a GAN that generates segments of novel classes.

The projector encodes a segment; the leaf configs freeze it in the full sub-stage.
"""

method = 'TSL'
model = dict(
    type='AVClassifier',
    encoders=dict(audio=dict(type='Identity'), visual=dict(type='Identity')),
    fusion=dict(type='SegmentConcat', num_segments=10, leading='visual'),
    projector=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
    head=dict(type='LinearHead', readout='mean_probability'),
    conditioner=dict(type='ClassEmbedding'),
    generator=dict(
        type='WGANGP',
        noise_dim=300,
        generator_hidden=512,
        critic_hidden=512,
        output='relu',
        n_critic=5,
        gp_weight=10.0,
        cls_weight=0.01,
        lr=1e-4,
        betas=(0.5, 0.999),
    ),
)
