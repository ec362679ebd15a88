"""Checkpoints of other code bases, to and from avzoo's own format."""

from avzoo.models.converters.avdiff_official import Conversion, convert, revert

__all__ = ['Conversion', 'convert', 'revert']
