"""Finding where two settings differ."""

from typing import Any


def first_difference(before: Any, now: Any, path: str = '') -> str:
    """Return where two nested dicts first differ, as ``path was 1 and is now 2``; an empty string if nowhere."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            found = first_difference(before.get(key), now.get(key), f'{path}.{key}' if path else key)
            if found:
                return found
        return ''
    return '' if before == now else f'{path} was {before!r} and is now {now!r}'
