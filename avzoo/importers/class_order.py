"""Rows of class vectors: whether programs agree on their order, and which are equal."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from avzoo.utils.equal_items import equal_groups
from avzoo.utils.errors import DataError


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers inside names by their value."""
    parts = re.split(r'([0-9]+)', name)
    return [(0, int(part), part) if part.isascii() and part.isdigit() else (1, 0, part) for part in parts if part]


def _plain(name: str) -> str:
    """Return a name without accents, regardless of case."""
    return ''.join(char for char in unicodedata.normalize('NFKD', name.casefold()) if not unicodedata.combining(char))


# How other programs sort names: what is said of it, and its key
_ORDERS: dict[str, Callable[[str], object]] = {
    'numbers by their value': natural_key,
    'regardless of case': str.casefold,
    'regardless of case and accents': _plain,
    'regardless of case, numbers by their value': lambda name: natural_key(name.casefold()),
}


def check_order(path: Path, names: Sequence[str]) -> None:
    """Refuse names that are sorted differently by code points than numerically or regardless of case.

    Args:
        path: File of the rows, for the error.
        names: The names, sorted by code points.
    """
    for what, key in _ORDERS.items():
        other = sorted(names, key=key)  # type: ignore[arg-type]
        if other != list(names):
            at = next(i for i, (one, two) in enumerate(zip(names, other, strict=True)) if one != two)
            raise DataError(
                f'{path} has rows without names, and the order of the classes is ambiguous: row {at} belongs to '
                f'{names[at]!r} if they are sorted by code points, and to {other[at]!r} if sorted {what}. Write '
                'classes.csv (column label, one class per row of the array) beside the lists, or give the vectors with '
                'their names (tools/class_vectors.py writes such a file).'
            )


def alike(names: Iterable[str], vectors: np.ndarray) -> list[list[str]]:
    """Return the groups of classes that cannot be told apart by their vectors (C, d)."""
    return equal_groups(zip(names, (row.tobytes() for row in vectors), strict=True))
