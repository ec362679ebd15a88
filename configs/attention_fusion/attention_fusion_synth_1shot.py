"""Attention Fusion on the synthetic data set, 1 shot.

python tools/train.py configs/attention_fusion/attention_fusion_synth_1shot.py
"""

_base_ = ['./attention_fusion_synth_5shot.py']
num_shots = 1
