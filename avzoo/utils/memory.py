"""How much memory there is."""

import re
from pathlib import Path


def available_memory() -> int | None:
    """Return the bytes of memory that can be used without swapping; ``None`` on systems that are not Linux."""
    try:
        text = Path('/proc/meminfo').read_text(encoding='ascii')
    except OSError:
        return None
    found = re.search(r'^MemAvailable: +(\d+) kB$', text, re.MULTILINE)
    return int(found.group(1)) << 10 if found else None
