"""Conditioners: what a generator is told about the class."""

from avzoo.models.conditioners.class_embedding import ClassEmbedding
from avzoo.models.conditioners.prototype import Prototype

__all__ = ['ClassEmbedding', 'Prototype']
