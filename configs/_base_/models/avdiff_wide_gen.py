"""AV-DIFF with a fitted generator, for your own features: encoders and fusion as in avdiff_wide.py."""

_base_ = ['./avdiff_gen.py']
model = dict(
    encoders=dict(audio=dict(out_dim=512), visual=dict(hidden_dim=1024, out_dim=512)),
    fusion=dict(depth=2, switch_after=1),
)
