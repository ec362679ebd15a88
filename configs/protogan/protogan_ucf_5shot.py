"""ProtoGAN on UCF-FSL, 5 shots.

python tools/train.py configs/protogan/protogan_ucf_5shot.py
"""

_base_ = [
    '../_base_/models/protogan.py',
    '../_base_/datasets/ucf_fsl.py',
    '../_base_/schedules/two_stage.py',
    '../_base_/default_runtime.py',
]
num_shots = 5
data_preprocessor = dict(pool_time=True)
