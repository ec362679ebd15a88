"""The projectors; the plain MLP serves as encoder and as projector."""

from avzoo.models.layers.mlp import MLP
from avzoo.models.projectors.readout_mlps import ReadoutMLPs

__all__ = ['MLP', 'ReadoutMLPs']
