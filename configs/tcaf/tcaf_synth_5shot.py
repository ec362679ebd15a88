"""TCAF on the synthetic data set, 5 shots.

python tools/train.py configs/tcaf/tcaf_synth_5shot.py
"""

_base_ = [
    '../_base_/models/tcaf.py',
    '../_base_/datasets/synth_fsl.py',
    '../_base_/schedules/two_stage_short.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
# Distances are not bounded by 1 as probabilities are.
val_evaluator = dict(gamma_grid=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0))
