"""Heads: from fused features to losses and class scores."""

from avzoo.models.heads.linear_head import LinearHead

__all__ = ['LinearHead']
