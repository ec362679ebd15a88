"""How much memory is available."""

import re
from pathlib import Path

# Memory limit and use of a container, for both versions of control groups.
_LIMITS = (
    ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory.current'),
    ('/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory/memory.usage_in_bytes'),
)


def available_memory() -> int | None:
    """Return the bytes of memory that can be used without swapping; ``None`` on systems other than Linux.

    In a container, its limit counts, not the memory of the host.
    """
    found = re.search(r'^MemAvailable: +(\d+) kB$', _text('/proc/meminfo'), re.MULTILINE)
    if not found:
        return None
    free = int(found.group(1)) << 10
    for limit, used in _LIMITS:
        numbers = [_text(path).strip() for path in (limit, used)]
        if all(map(str.isdecimal, numbers)):
            free = min(free, max(0, int(numbers[0]) - int(numbers[1])))
    return free


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding='ascii')
    except (OSError, ValueError):
        return ''
