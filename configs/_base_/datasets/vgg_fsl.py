"""VGGSound-FSL: VGGish audio stored as 0..255, C3D visual features, batches padded to their longest video."""

_base_ = ['./gfsl.py']
data_root = 'data/vgg_fsl'
data_preprocessor = dict(type='AVPreprocessor', scale=dict(audio=255.0), norm=dict(visual='l2_time'))
