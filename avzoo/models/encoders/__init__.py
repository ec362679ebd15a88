"""The encoders; the MLPs serve as encoders and as projectors."""

from avzoo.models.encoders.identity import Identity
from avzoo.models.layers.mlp import MLP
from avzoo.models.layers.residual_mlp import ResidualMLP

__all__ = ['MLP', 'Identity', 'ResidualMLP']
