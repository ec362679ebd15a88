"""AV-DIFF with a fitted generator that is given the vectors of other classes, on the synthetic data set, 1 shot.

python tools/train.py configs/avdiff/avdiff-shuffled_synth_1shot_gen.py
"""

_base_ = ['./avdiff-shuffled_synth_5shot_gen.py']
num_shots = 1
