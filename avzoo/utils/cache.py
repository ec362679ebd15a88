"""Where downloads are kept, and whether the network may be used."""

import os
from pathlib import Path


def cache_home() -> Path:
    """Return the folder of everything that avzoo downloads: ``AVZOO_HOME``, by default ``~/.cache/avzoo``."""
    return Path(os.environ.get('AVZOO_HOME') or '~/.cache/avzoo').expanduser().absolute()


def is_offline() -> bool:
    """Return whether ``AVZOO_OFFLINE=1`` forbids every network access."""
    return os.environ.get('AVZOO_OFFLINE', '').strip().lower() not in ('', '0', 'false', 'no')
