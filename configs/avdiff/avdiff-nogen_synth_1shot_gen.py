"""AV-DIFF with the settings of the fitted generator, but without one, on the synthetic data set, 1 shot.

python tools/train.py configs/avdiff/avdiff-nogen_synth_1shot_gen.py
"""

_base_ = ['./avdiff-nogen_synth_5shot_gen.py']
num_shots = 1
