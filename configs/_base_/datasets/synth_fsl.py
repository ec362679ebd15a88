"""synth: the small synthetic data set with the structure of UCF-FSL, made by tools/train.py when it is missing."""

_base_ = ['./custom.py']
data_root = 'data/synth_fsl'
synthesize = True
cpu_kernels = 'torch'  # Results on this data set are published; others round differently and draw other dropout.
train_dataloader = dict(batch_sampler=dict(num_batches=25))
