"""Data preprocessors: the first thing a model does with a batch."""

from avzoo.models.data_preprocessors.av_preprocessor import AVPreprocessor

__all__ = ['AVPreprocessor']
