"""AV-DIFF on a feature store of your own, 20 shots.

python tools/train.py configs/avdiff/avdiff_custom_20shot.py --cfg-options data_root=data/mine
"""
_base_ = [
    '../_base_/models/avdiff_wide.py',
    '../_base_/datasets/custom.py',
    '../_base_/schedules/two_stage_custom.py',
    '../_base_/default_runtime.py',
]
num_shots = 20
