"""Ways to bring audio and visual tokens together into one vector."""

from avzoo.models.fusions.masked_transformer import MaskedTransformer

__all__ = ['MaskedTransformer']
