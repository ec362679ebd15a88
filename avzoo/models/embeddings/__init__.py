"""Embeddings of time and modality."""

from avzoo.models.embeddings.time_modality import TimeModalityEmbedding

__all__ = ['TimeModalityEmbedding']
