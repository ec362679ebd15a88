"""Models and their parts, one package per kind."""

from avzoo.models import classifiers, data_preprocessors  # What the registry of models asks this package for.

__all__ = ['classifiers', 'data_preprocessors']
