"""Say of many items which cannot be used and why, all at once."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from avzoo.utils.files import atomic_write_text

_SHOWN, _KINDS, _LONGEST = 20, 10, 500


def list_items(bad: Mapping[str, str]) -> list[str]:
    """Return a line for each of the first items, {item: reason}, then how many more there are."""
    lines = [f'{item!r}: {" ".join(reason.split())[:_LONGEST]}' for item, reason in list(bad.items())[:_SHOWN]]
    return [*lines, *([f'and {len(bad) - _SHOWN} more'] if len(bad) > _SHOWN else [])]


def count_reasons(bad: Mapping[str, str]) -> str:
    """Return in one line how many items there are of each reason, with the first of them."""
    items: dict[str, list[str]] = {}
    for item, reason in bad.items():
        items.setdefault(reason, []).append(item)
    kinds = sorted(items.items(), key=lambda kind: -len(kind[1]))
    parts = [
        f'{len(names)}: {reason} ({", ".join(names[:_SHOWN])}{", ..." if len(names) > _SHOWN else ""})'
        for reason, names in kinds[:_KINDS]
    ]
    others = sum(len(names) for _, names in kinds[_KINDS:])
    return '; '.join([*parts, *([f'{others}: other reasons'] if others else [])])


def write_items(path: Path, bad: Mapping[str, str]) -> None:
    """Write all items with their reasons as a table; without any, remove one of an earlier run."""
    if not bad:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows([('video', 'reason'), *bad.items()])
    atomic_write_text(path, text.getvalue())
