"""Models and their parts."""

from avzoo.models import (
    classifiers,
    conditioners,
    data_preprocessors,
    embeddings,
    encoders,
    fusions,
    generators,
    heads,
    projectors,
)

__all__ = [
    'classifiers',
    'conditioners',
    'data_preprocessors',
    'embeddings',
    'encoders',
    'fusions',
    'generators',
    'heads',
    'projectors',
]
