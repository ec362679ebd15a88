"""AV-Gauss without its generator, on the synthetic data set, 5 shots.

python tools/train.py configs/avgauss/avgauss-nogen_synth_5shot.py
"""

_base_ = [
    '../_base_/models/avgauss.py',
    '../_base_/datasets/synth_fsl.py',
    '../_base_/schedules/two_stage_fitted_nogen.py',
    '../_base_/default_runtime.py',
]
method = 'AV-Gauss (no generator)'
num_shots = 5
data_preprocessor = dict(time_bins=1, gain=dict(audio=0.5))
model = dict(generator=None, conditioner=None, head=dict(heads=[dict(type='LogisticHead', power=0.25)]))
