"""Settings shared by all runs: runner, hooks, seed and logs."""

default_scope = 'avzoo'
runner_type = 'CurriculumRunner'
randomness = dict(seed=42, deterministic=False)
default_hooks = dict(
    runtime_info=dict(type='IntervalRuntimeInfoHook', interval=50),
    timer=None,
    sampler_seed=dict(type='EpochSeedHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=None,  # The curriculum keeps last.pth and best.pth of each phase itself.
    graphs=dict(type='GraphHook', enabled=False),  # True: steps and predictions on a GPU as CUDA graphs.
)
custom_hooks = [dict(type='FitHook'), dict(type='SyncBuffersHook')]
env_cfg = dict(cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork'), dist_cfg=dict(backend='nccl'))
visualizer = dict(type='Visualizer', vis_backends=[])  # [dict(type='TensorboardVisBackend')] for TensorBoard.
log_level = 'INFO'
