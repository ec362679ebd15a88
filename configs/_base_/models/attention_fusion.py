"""Attention Fusion (Fayek and Kumar 2020) on time averages; sizes of the UCF-FSL model."""

method = 'Attention Fusion'
model = dict(
    type='AVClassifier',
    encoders=dict(
        audio=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
        visual=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
    ),
    fusion=dict(type='GatedModalityFusion', dropout=0.1),
    projector=dict(type='MLP', hidden_dim=512, out_dim=64, dropout=0.1),
    head=dict(type='LinearHead'),
)
