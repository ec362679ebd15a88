"""TCAF (Mercea et al. 2022): cross-modal attention and distances to class vectors; sizes of the UCF-FSL model."""

method = 'TCAF'
model = dict(
    type='AVClassifier',
    encoders=dict(
        audio=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.3),
        visual=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.3),
    ),
    embedding=dict(type='TimeModalityEmbedding', embed_dim=64, fourier_scale=10.0, dropout=0.2),
    fusion=dict(type='MaskedTransformer', depth=6, pattern='cross', num_heads=8, head_dim=64, mlp_dim=128, dropout=0.3),
    projector=dict(type='MLP', hidden_dim=512, out_dim=64, dropout=0.1),
    head=dict(type='EmbeddingDistanceHead', hidden_dim=512, dropout=0.1),
)
