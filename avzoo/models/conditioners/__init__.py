"""Conditioners: the condition of a class, for a generator."""

from avzoo.models.conditioners.class_embedding import ClassEmbedding
from avzoo.models.conditioners.prototype import Prototype

__all__ = ['ClassEmbedding', 'Prototype']
