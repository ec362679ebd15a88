"""AV-DIFF with a fitted generator on a feature store of your own, 5 shots.

python tools/train.py configs/avdiff/avdiff_custom_5shot_gen.py --cfg-options data_root=data/mine
"""

_base_ = [
    '../_base_/models/avdiff_wide_gen.py',
    '../_base_/datasets/custom.py',
    '../_base_/schedules/two_stage_custom_gen.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
