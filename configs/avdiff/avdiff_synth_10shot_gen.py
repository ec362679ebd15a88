"""AV-DIFF with a fitted generator on the synthetic data set, 10 shots.

python tools/train.py configs/avdiff/avdiff_synth_10shot_gen.py
"""

_base_ = ['./avdiff_synth_5shot_gen.py']
num_shots = 10
