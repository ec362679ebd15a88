"""The encoders; the plain MLP serves as encoder and as projector."""

from avzoo.models.encoders.identity import Identity
from avzoo.models.layers.mlp import MLP

__all__ = ['MLP', 'Identity']
