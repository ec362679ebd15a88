"""AV-DIFF on the synthetic data set, 5 shots, with visual features only.

python tools/train.py configs/avdiff/avdiff-visual_synth_5shot.py
"""

_base_ = ['./avdiff_synth_5shot.py']
method = 'AV-DIFF (visual)'
model = dict(
    encoders=dict(_delete_=True, visual=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.2)),
    embedding=dict(use_modality=False),
    fusion=dict(pattern='full', switch_after=0),
)  # within one modality the same as self attention
