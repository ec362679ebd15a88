"""A part of a page."""

import math
from dataclasses import dataclass, field
from typing import Any

from avzoo.report.figures import Picture, Table
from avzoo.utils.tables import two_decimals


@dataclass
class Section:
    """A part of a page.

    Attributes:
        title: Its heading, unique on the page.
        text: Paragraphs.
        tables: Tables by caption.
        pictures: Figures.
    """

    title: str
    text: list[str] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """The fragment of the URL that leads here."""
        return self.title.lower().replace(' ', '-').replace(',', '')


def rounded(value: Any, digits: int = 2) -> object:
    """Round a number for a table (to an integer if ``digits`` is 0); an unknown number becomes a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return two_decimals(None)
    return round(float(value), digits or None)


def rounded_seconds(value: float | None) -> object:
    """Round seconds for a table: to integers, or below ten to two significant digits."""
    return rounded(value, 0) if value is None or value >= 10 else float(f'{value:.2g}')
