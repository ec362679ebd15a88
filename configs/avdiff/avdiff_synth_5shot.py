"""AV-DIFF on the embedded data set, 5 shots: the whole curriculum in a few minutes on two CPU cores.

python tools/train.py configs/avdiff/avdiff_synth_5shot.py
"""
_base_ = [
    '../_base_/models/avdiff.py',
    '../_base_/datasets/synth_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
train_dataloader = dict(batch_sampler=dict(num_batches=40))
curriculum = dict(base=dict(max_epochs=10), full=dict(max_epochs=6))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
