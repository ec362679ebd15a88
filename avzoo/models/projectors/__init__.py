"""Projectors: from what a fusion gives to c_o."""

from avzoo.models.layers.mlp import MLP
from avzoo.models.layers.residual_mlp import ResidualMLP
from avzoo.models.projectors.joint_whitening import JointWhitening
from avzoo.models.projectors.readout_mlps import ReadoutMLPs

__all__ = ['MLP', 'JointWhitening', 'ReadoutMLPs', 'ResidualMLP']
