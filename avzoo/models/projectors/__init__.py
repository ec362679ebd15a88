"""The projectors; the plain MLP serves as encoder and as projector."""

from avzoo.models.layers import MLP

__all__ = ['MLP']
