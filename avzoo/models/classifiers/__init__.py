"""Models that wire the parts."""

from avzoo.models.classifiers.av_classifier import AVClassifier

__all__ = ['AVClassifier']
