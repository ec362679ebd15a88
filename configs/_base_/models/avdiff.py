"""AV-DIFF (Mercea et al. 2023): hybrid attention and text-to-feature diffusion; sizes of the UCF-FSL model."""

method = 'AV-DIFF'
model = dict(
    type='AVClassifier',
    encoders=dict(
        audio=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
        visual=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
    ),
    embedding=dict(type='TimeModalityEmbedding', embed_dim=64, fourier_scale=10.0, dropout=0.1),
    fusion=dict(
        type='MaskedTransformer',
        depth=4,
        pattern='hybrid',
        switch_after=2,
        num_heads=8,
        head_dim=64,
        mlp_dim=128,
        dropout=0.1,
    ),
    projector=dict(type='MLP', hidden_dim=512, out_dim=64, dropout=0.1),
    head=dict(type='LinearHead'),
    conditioner=dict(type='ClassEmbedding'),
    generator=dict(
        type='DDPM',
        schedule=dict(type='LinearSchedule', num_steps=200, beta_start=1e-4, beta_end=0.02),
        noise_predictor=dict(type='MLPNoisePredictor', hidden_dim=128, num_layers=1, dropout=0.0),
    ),
)
