"""AV-DIFF on ActivityNet-FSL, 5 shots, with audio only.

python tools/train.py configs/avdiff/avdiff-audio_activitynet_5shot.py
"""

_base_ = ['./avdiff_activitynet_5shot.py']
method = 'AV-DIFF (audio)'
model = dict(
    encoders=dict(_delete_=True, audio=dict(type='MLP', hidden_dim=512, out_dim=300, dropout=0.3)),
    embedding=dict(use_modality=False),
    fusion=dict(pattern='full', switch_after=0),
)  # within one modality the same as self attention
# The seconds of 60, 30 and 300 visual steps, in audio steps.
train_dataloader = dict(dataset=dict(window=dict(steps=40)))
val_dataloader = dict(dataset=dict(window=dict(steps=20)))
test_dataloader = dict(dataset=dict(window=dict(steps=200)))
