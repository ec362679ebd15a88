"""Attention Fusion on the synthetic data set, 20 shots.

python tools/train.py configs/attention_fusion/attention_fusion_synth_20shot.py
"""

_base_ = ['./attention_fusion_synth_5shot.py']
num_shots = 20
