"""Conditioners: what a generator is told about the class."""

from avzoo.models.conditioners.class_embedding import ClassEmbedding

__all__ = ['ClassEmbedding']
