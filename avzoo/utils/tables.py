"""Tables for the screen, logs and Markdown pages; the first column is left-aligned, the others right-aligned."""

import math
from collections.abc import Callable, Iterable, Sequence

from avzoo.utils.printable import printable

# Characters with a meaning in Markdown: cells, links, images, code, HTML and its entities.
_ESCAPES = {ord(char): f'\\{char}' for char in '\\|[]!`'} | {ord('<'): '&lt;', ord('&'): '&amp;'}

Layout = Callable[[Sequence[str], Iterable[Sequence[object]]], str]  # of a header and rows


class Markdown(str):
    """A cell that avzoo itself wrote as Markdown: its links and code work. Names of unknown origin stay plain text."""

    __slots__ = ()


def text_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out a table as aligned columns of plain text."""
    cells = [[printable(cell) for cell in line] for line in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ['-' * width for width in widths])
    return '\n'.join(
        '  '.join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        ).rstrip()
        for line in cells
    )


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]], *, align_right: bool = True) -> str:
    """Lay out a table as Markdown. Cells are shown verbatim; only in :class:`Markdown` cells do links and code work.

    Args:
        header: Titles of the columns.
        rows: The cells below.
        align_right: Whether all columns but the first are right-aligned, as for numbers.
    """
    rule = ['---', *('---:' if align_right else '---' for _ in header[1:])]
    cells = [[_markdown(cell) for cell in line] for line in (header, *rows)]
    return '\n'.join(f'| {" | ".join(line)} |' for line in (cells[0], rule, *cells[1:]))


def two_decimals(value: float | None) -> str:
    """Format a number with two decimals, or as ``-`` if it is unknown or NaN."""
    return '-' if value is None or math.isnan(value) else f'{value:.2f}'


def clock(seconds: float) -> str:
    """Format a time as hours, minutes and seconds, e.g. ``0:06:50``."""
    whole = round(seconds)
    return f'{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}'


def _markdown(cell: object) -> str:
    text = printable(cell)
    # Even in Markdown cells, no cell ends early and no tag begins.
    return text.replace('|', r'\|').replace('<', '&lt;') if isinstance(cell, Markdown) else text.translate(_ESCAPES)
