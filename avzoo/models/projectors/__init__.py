"""The projectors; the MLPs serve as encoders and as projectors."""

from avzoo.models.layers.mlp import MLP
from avzoo.models.layers.residual_mlp import ResidualMLP
from avzoo.models.projectors.readout_mlps import ReadoutMLPs

__all__ = ['MLP', 'ReadoutMLPs', 'ResidualMLP']
