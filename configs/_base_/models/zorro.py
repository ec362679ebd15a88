"""Zorro (Recasens et al. 2023): fusion tokens see both modalities; each modality sees only itself."""

method = 'Zorro'
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
        pattern='bottleneck',
        num_summary_tokens=4,
        summary_std=0.02,
        num_heads=8,
        head_dim=64,
        mlp_dim=128,
        dropout=0.1,
    ),
    projector=dict(type='MLP', hidden_dim=512, out_dim=64, dropout=0.1),
    head=dict(type='LinearHead'),
)
