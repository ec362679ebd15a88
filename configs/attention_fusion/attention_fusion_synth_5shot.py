"""Attention Fusion on the synthetic data set, 5 shots.

python tools/train.py configs/attention_fusion/attention_fusion_synth_5shot.py
"""

_base_ = [
    '../_base_/models/attention_fusion.py',
    '../_base_/datasets/synth_fsl.py',
    '../_base_/schedules/two_stage_short.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
data_preprocessor = dict(pool_time=True)
