"""SLDG (Bo et al. 2020): Gaussian-weighted averages over time, with sound in place of optical flow."""

method = 'SLDG'
model = dict(
    type='AVClassifier',
    encoders=dict(
        audio=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
        visual=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2),
    ),
    fusion=dict(type='GaussianTemporalPool', num_gaussians=4),
    projector=dict(type='MLP', hidden_dim=512, out_dim=64, dropout=0.1),
    head=dict(type='LinearHead'),
)
