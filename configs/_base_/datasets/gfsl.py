"""How batches are drawn from a feature store, for all data sets (AV-DIFF, sec. 5.1)."""

num_shots = 5
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(type='GFSLDataset'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_sampler=dict(type='ClassBalancedBatchSampler', num_batches=300),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(type='GFSLDataset'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_sampler=dict(type='EvaluationBatchSampler'),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='GFSLMetric')
auto_scale_lr = dict(base_batch_size=64, enable=False)  # The total batch size that the learning rate is for.
