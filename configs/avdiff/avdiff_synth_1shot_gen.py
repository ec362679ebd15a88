"""AV-DIFF with a fitted generator on the synthetic data set, 1 shot.

python tools/train.py configs/avdiff/avdiff_synth_1shot_gen.py
"""

_base_ = ['./avdiff_synth_5shot_gen.py']
num_shots = 1
