"""Perceiver on the embedded data set, 20 shots.

python tools/train.py configs/perceiver/perceiver_synth_20shot.py
"""
_base_ = [
    '../_base_/models/perceiver.py',
    '../_base_/datasets/synth_fsl.py',
    '../_base_/schedules/two_stage_short.py',
    '../_base_/default_runtime.py',
]
num_shots = 20
model = dict(fusion=dict(depth=4, num_latents=8))  # for a dozen tokens on a CPU
