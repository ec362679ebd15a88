"""Plots with matplotlib, in the colours of the page, with values as tooltips and the data in a file next to them."""

import csv
import functools
import io
import os
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from avzoo.utils.files import atomic_path, atomic_write_text
from avzoo.utils.printable import printable

# Okabe and Ito's colours, which can be told apart with any kind of colour vision.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#B8A800', '#7f7f7f')
BASE, NOVEL, PLAIN = COLOURS[0], COLOURS[1], '#8a8a8a'
_PIXELS_PER_INCH, _WIDE = 112, 8
_LONGEST_LABEL = 48  # Characters.
_FORMULA = ('=', '+', '-', '@')
_INK = '#010203'  # Placeholder for the text colour of the page.
# Any: matplotlib's own type for the keys lists all 300 of them.
_STYLE: dict[Any, Any] = {
    'svg.fonttype': 'none',  # Text stays text: small and searchable.
    'text.parse_math': False,  # Names may contain dollar signs.
    'font.family': ['sans-serif'],
    'font.size': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.edgecolor': _INK,
    'axes.labelcolor': _INK,
    'axes.titlecolor': _INK,
    'xtick.color': _INK,
    'ytick.color': _INK,
    'text.color': _INK,
    'legend.frameon': False,
    'legend.labelcolor': _INK,
    'axes.titlesize': 9,
    'axes.titlelocation': 'left',
}


_Arguments = ParamSpec('_Arguments')
_Result = TypeVar('_Result')


@dataclass(frozen=True)
class Table:
    """Rows of a table, numbers as numbers."""

    header: tuple[str, ...]
    rows: list[tuple[object, ...]]

    @property
    def numeric(self) -> list[bool]:
        """For each column, whether it holds numbers."""
        return [any(isinstance(row[place], int | float) for row in self.rows) for place in range(len(self.header))]

    def csv(self) -> str:
        """Return the table as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator='\n')
        writer.writerow(self.header)
        writer.writerows([_csv_cell(value) for value in row] for row in self.rows)
        return text.getvalue()


def _csv_cell(value: object) -> object:
    """Return a value unchanged, or text as one line that no spreadsheet reads as a formula."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text[:1] in _FORMULA and len(text) > 1 else text


@dataclass
class Picture:
    """A figure with its data.

    Attributes:
        name: Stem of its files.
        title: Its title.
        text: How to read it.
        figure: The figure.
        data: The numbers that it shows.
        tips: Tooltips of drawn parts, by their id.
    """

    name: str
    title: str
    text: str
    figure: Figure
    data: Table
    tips: dict[str, str] = field(default_factory=dict)

    @property
    def is_wide(self) -> bool:
        """Whether the picture fills the width of a page."""
        return bool(self.figure.get_figwidth() > _WIDE)

    def tip(self, artist: Artist, text: str) -> None:
        """Show a text while the pointer is over an artist."""
        gid = f'{self.name}-{len(self.tips)}'
        artist.set_gid(gid)
        self.tips[gid] = printable(text)

    def svg(self) -> str:
        """Return the picture as an SVG element of a page."""
        text = io.StringIO()
        with matplotlib.rc_context({**_STYLE, 'svg.hashsalt': self.name}), warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'Glyph')  # The browser can draw letters that matplotlib cannot.
            self.figure.savefig(text, format='svg', transparent=True, metadata={'Date': None, 'Creator': None})
        svg = text.getvalue()
        svg = svg[svg.index('<svg') :].replace(_INK, 'currentColor')
        svg = re.sub(r'<metadata>.*?</metadata>', '', svg, flags=re.DOTALL)
        svg = re.sub(r' id="[\w.]+_\d+"', '', svg)  # matplotlib gives its parts the same ids in every picture.
        width = round(self.figure.get_figwidth() * _PIXELS_PER_INCH)  # At most; on a phone it shrinks.
        opening = rf'<svg viewBox="\1" role="img" aria-label="{escape(self.title)}" style="max-width: {width}px">'
        return re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', opening, svg, count=1)

    def save(self, folder: str | os.PathLike[str], kind: str = 'svg') -> tuple[Path, Path]:
        """Write the picture and, next to it, its data as CSV; return both paths."""
        picture = Path(folder) / f'{self.name}.{kind}'
        with matplotlib.rc_context({'svg.hashsalt': self.name}), atomic_path(picture) as partial:
            self.figure.savefig(partial, format=kind, dpi=160, facecolor='white', bbox_inches='tight')
        return picture, atomic_write_text(picture.with_suffix('.csv'), self.data.csv())


def legend_label(name: str) -> str:
    """Return a name as shown in a legend; matplotlib leaves out labels that begin with an underscore."""
    text = printable(name)
    text = text if len(text) <= _LONGEST_LABEL else f'...{text[3 - _LONGEST_LABEL :]}'  # Folders differ at the end.
    return f' {text}' if text.startswith('_') else text


def styled(draw: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Let a function draw in the style of all pictures."""

    @functools.wraps(draw)
    def inner(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        with matplotlib.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return inner


def new_figure(width: float = 5.2, height: float = 3.4, columns: int = 1) -> tuple[Figure, Sequence[Axes]]:
    """Create a figure with axes side by side. Sizes are in inches."""
    figure = Figure(figsize=(width, height), layout='constrained')
    return figure, [figure.add_subplot(1, columns, column + 1) for column in range(columns)]
