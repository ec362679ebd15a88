"""Checkpoints of other code bases, to and from avzoo's own format."""

from avzoo.avdiff_release.export_checkpoint import Reversion, revert
from avzoo.avdiff_release.import_checkpoint import Conversion, convert

__all__ = ['Conversion', 'Reversion', 'convert', 'revert']
