"""AV-DIFF on the synthetic data set, 5 shots.

python tools/train.py configs/avdiff/avdiff_synth_5shot.py
"""

_base_ = [
    '../_base_/models/avdiff.py',
    '../_base_/datasets/synth_fsl.py',
    '../_base_/schedules/two_stage_short.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
