"""Building blocks that several parts share."""

from avzoo.models.layers.mlp import MLP

__all__ = ['MLP']
