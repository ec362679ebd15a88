"""AV-DIFF on UCF-FSL, 5 shots.

python tools/train.py configs/avdiff/avdiff_ucf_5shot.py
"""

_base_ = [
    '../_base_/models/avdiff.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
