"""MBT (Nagrani et al. 2021): two transformers and a bottleneck; sizes of the UCF-FSL model."""

method = 'MBT'
model = dict(
    type='AVClassifier',
    encoders=dict(
        audio=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
        visual=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
    ),
    embedding=dict(type='TimeModalityEmbedding', embed_dim=64, fourier_scale=10.0, dropout=0.1),
    fusion=dict(
        type='BottleneckFusion',
        depth=4,
        fusion_layer=2,
        num_bottlenecks=4,
        readout='cls',
        num_heads=8,
        head_dim=64,
        mlp_dim=128,
        dropout=0.1,
    ),
    projector=dict(type='MLP', hidden_dim=512, out_dim=64, dropout=0.1),
    head=dict(type='LinearHead', readout='mean_logits'),
)
