"""AV-DIFF for your own features: wider and shallower than on the paper's data sets.

Chosen on the validation split of real features (docs/benchmarks.md): the 64-d c_o and four layers lose what a linear
classifier can still read from the features. The generator learns alongside the classifier, not through it.
"""

_base_ = ['./avdiff.py']
model = dict(
    encoders=dict(audio=dict(out_dim=512), visual=dict(hidden_dim=1024, out_dim=512)),
    fusion=dict(depth=2, switch_after=1),
    projector=dict(hidden_dim=1024, out_dim=512),
    generator=dict(schedule=dict(num_steps=100)),
    synthetic_weight=0.1,
    detach_features=True,
)
