"""Finding where two settings differ."""

from typing import Any, NamedTuple


class Difference(NamedTuple):
    """A place where two nested dicts differ.

    Attributes:
        path: Keys joined by dots.
        before: Value in the first; ``None`` where it has none.
        now: Value in the second.
    """

    path: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f'{self.path} was {self.before!r} and is now {self.now!r}'


def first_difference(before: Any, now: Any, path: str = '') -> Difference | None:
    """Return the first place, in the order of the keys, where two nested dicts differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            found = first_difference(before.get(key), now.get(key), f'{path}.{key}' if path else key)
            if found:
                return found
        return None
    return None if before == now else Difference(path, before, now)
