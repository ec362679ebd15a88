"""AV-DIFF with a fitted generator on the synthetic data set, 5 shots.

python tools/train.py configs/avdiff/avdiff_synth_5shot_gen.py
"""

_base_ = [
    '../_base_/models/avdiff_gen.py',
    '../_base_/datasets/synth_fsl.py',
    '../_base_/schedules/two_stage_gen.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
