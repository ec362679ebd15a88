"""HiP (Carreira et al. 2022): a hierarchy of latents, without reconstruction."""

method = 'HiP'
model = dict(
    type='AVClassifier',
    encoders=dict(
        audio=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
        visual=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
    ),
    embedding=dict(type='TimeModalityEmbedding', embed_dim=64, fourier_scale=10.0, dropout=0.1),
    fusion=dict(
        type='HierarchicalLatents',
        groups=(4, 2, 1),
        num_latents=(16, 16, 32),
        num_layers=(1, 1, 2),
        num_heads=8,
        head_dim=64,
        mlp_dim=128,
        dropout=0.1,
    ),
    projector=dict(type='MLP', hidden_dim=512, out_dim=64, dropout=0.1),
    head=dict(type='LinearHead'),
)
