"""Attention Fusion on the synthetic data set, 10 shots.

python tools/train.py configs/attention_fusion/attention_fusion_synth_10shot.py
"""

_base_ = ['./attention_fusion_synth_5shot.py']
num_shots = 10
