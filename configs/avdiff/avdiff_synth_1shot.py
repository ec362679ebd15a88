"""AV-DIFF on the synthetic data set, 1 shot.

python tools/train.py configs/avdiff/avdiff_synth_1shot.py
"""

_base_ = ['./avdiff_synth_5shot.py']
num_shots = 1
