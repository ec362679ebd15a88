"""AV-DIFF on a feature store of your own, 5 shots, with visual features only.

python tools/train.py configs/avdiff/avdiff-visual_custom_5shot.py --cfg-options data_root=data/mine
"""

_base_ = ['./avdiff_custom_5shot.py']
method = 'AV-DIFF (visual)'
model = dict(
    encoders=dict(_delete_=True, visual=dict(type='MLP', hidden_dim=1024, out_dim=512, dropout=0.2)),
    embedding=dict(use_modality=False),
    fusion=dict(pattern='full', switch_after=0),
)  # within one modality the same as self attention
