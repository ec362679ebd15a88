"""AVCA (Mercea et al. 2022) on time averages, with a classifier on its visual output; dropouts for UCF-FSL."""

method = 'AVCA'
model = dict(
    type='AVClassifier',
    encoders=dict(
        audio=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2, last_bn_momentum=0.99),
        visual=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2, last_bn_momentum=0.99),
    ),
    fusion=dict(type='PairAttention', num_heads=3, head_dim=100, mlp_dim=64, dropout=0.2),
    projector=dict(type='ReadoutMLPs', num_readouts=2, hidden_dim=512, out_dim=64, dropout=0.3, last_bn_momentum=0.99),
    head=dict(type='TripletAuxHead', dropout=0.5, margin=1.0, aux_weight=1.0),
)
