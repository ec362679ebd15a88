"""Checkpoints of other code bases, to and from avzoo's own format."""

from avzoo.models.converters.avdiff_official import Conversion, convert
from avzoo.models.converters.avdiff_reverse import Reversion, revert

__all__ = ['Conversion', 'Reversion', 'convert', 'revert']
