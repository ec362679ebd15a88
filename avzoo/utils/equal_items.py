"""Find items with equal keys, such as clips with the same features."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

_Item = TypeVar('_Item')


def equal_groups(items: Iterable[tuple[_Item, Hashable]]) -> list[list[_Item]]:
    """Return the groups of two or more items with equal keys, ordered by their first items.

    Args:
        items: Each item with its key, e.g. the bytes of its features.

    Examples:
        >>> equal_groups(zip('abcd', [1, 2, 1, 3], strict=True))
        [['a', 'c']]
    """
    groups: dict[Hashable, list[_Item]] = {}
    for item, key in items:
        groups.setdefault(key, []).append(item)
    return [group for group in groups.values() if len(group) > 1]
