"""Perceiver (Jaegle et al. 2021): 64 latents, eight layers with shared weights."""

method = 'Perceiver'
model = dict(
    type='AVClassifier',
    encoders=dict(
        audio=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
        visual=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
    ),
    embedding=dict(type='TimeModalityEmbedding', embed_dim=64, fourier_scale=10.0, dropout=0.1),
    fusion=dict(
        type='LatentCrossAttention',
        depth=8,
        num_latents=64,
        tie=True,
        num_heads=8,
        head_dim=64,
        mlp_dim=128,
        dropout=0.1,
    ),
    projector=dict(type='MLP', hidden_dim=512, out_dim=64, dropout=0.1),
    head=dict(type='LinearHead'),
)
