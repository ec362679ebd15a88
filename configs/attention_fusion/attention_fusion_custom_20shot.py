"""Attention Fusion on a feature store of your own, 20 shots.

python tools/train.py configs/attention_fusion/attention_fusion_custom_20shot.py --cfg-options data_root=data/mine
"""

_base_ = ['./attention_fusion_custom_5shot.py']
num_shots = 20
