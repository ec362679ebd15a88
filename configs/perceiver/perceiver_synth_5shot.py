"""Perceiver on the synthetic data set, 5 shots.

python tools/train.py configs/perceiver/perceiver_synth_5shot.py
"""

_base_ = [
    '../_base_/models/perceiver.py',
    '../_base_/datasets/synth_fsl.py',
    '../_base_/schedules/two_stage_short.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
model = dict(fusion=dict(depth=4, num_latents=8))  # for a dozen tokens on a CPU
