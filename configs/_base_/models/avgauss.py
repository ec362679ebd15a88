"""AV-Gauss: class means from text and shots in a learnt metric, and logistic regression in the same metric.

No part is trained by gradient steps: each sub-stage fits projector, generator and head in closed form or by L-BFGS.
"""

method = 'AV-Gauss'
model = dict(
    type='AVClassifier',
    encoders=dict(audio=dict(type='Identity'), visual=dict(type='Identity')),
    fusion=dict(type='TimeConcatFusion'),
    projector=dict(type='JointWhitening', within_shrinkage=0.7, between_shape=(0.4, 0.3, 0.3), max_dim=2048),
    conditioner=dict(type='ClassEmbedding'),
    generator=dict(type='TextGaussian', text_ridge=0.2),
    head=dict(
        type='EnsembleHead',
        heads=[dict(type='GaussianHead'), dict(type='LogisticHead', power=0.25)],
    ),
)
