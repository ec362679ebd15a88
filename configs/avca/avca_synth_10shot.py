"""AVCA on the embedded data set, 10 shots.

python tools/train.py configs/avca/avca_synth_10shot.py
"""
_base_ = [
    '../_base_/models/avca.py',
    '../_base_/datasets/synth_fsl.py',
    '../_base_/schedules/two_stage_short.py',
    '../_base_/default_runtime.py',
]
num_shots = 10
data_preprocessor = dict(pool_time=True)
