"""AV-DIFF on the synthetic data set, 10 shots.

python tools/train.py configs/avdiff/avdiff_synth_10shot.py
"""

_base_ = ['./avdiff_synth_5shot.py']
num_shots = 10
