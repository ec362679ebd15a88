"""Report all unusable items, with reasons, at once."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from avzoo.utils.files import atomic_write_text

_SHOWN, _KINDS, _LONGEST = 20, 10, 500


def list_items(bad: Mapping[str, str]) -> list[str]:
    """Return one line per item, {item: reason}, for the first ones, then the number of the others."""
    lines = [f'{item!r}: {" ".join(reason.split())[:_LONGEST]}' for item, reason in list(bad.items())[:_SHOWN]]
    return [*lines, *([f'and {len(bad) - _SHOWN} more'] if len(bad) > _SHOWN else [])]


def count_reasons(bad: Mapping[str, str]) -> str:
    """Return in one line how many items each reason has, with the first of them."""
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
    """Write all items with their reasons as a table; if there are none, remove the table of an earlier run."""
    if not bad:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows([('video', 'reason'), *bad.items()])
    atomic_write_text(path, text.getvalue())
