"""AV-Gauss on VGGSound-FSL, 5 shots.

python tools/train.py configs/avgauss/avgauss_vgg_5shot.py
"""

_base_ = [
    '../_base_/models/avgauss.py',
    '../_base_/datasets/vgg_fsl.py',
    '../_base_/schedules/two_stage_fitted.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
data_preprocessor = dict(time_bins=1, norm=dict(audio='l2_feature', visual='l2_feature'), gain=dict(audio=0.5))
