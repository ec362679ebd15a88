"""Tell names that are one name in two spellings."""

import re
import unicodedata
from collections.abc import Iterable

_BLANKS = re.compile(r'(?<![0-9])[\s_]+|[\s_]+(?![0-9])')  # not those between digits: 1 2 is not 12
# Shown as nothing, though they are no format characters: joiners, fillers and selectors of variants.
_UNSEEN = re.compile('[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]')


def spelling_key(name: str) -> str:
    """Return what two spellings of a name share.

    They may differ in case, in the Unicode form of a letter with an accent, in characters without width, and in
    blanks or underscores.
    """
    seen = _UNSEEN.sub('', name)
    visible = ''.join(char for char in unicodedata.normalize('NFKC', seen) if unicodedata.category(char) != 'Cf')
    return _BLANKS.sub('', unicodedata.normalize('NFKC', visible.casefold()))


def spellings(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return each pair of different names that are spellings of one, by their first occurrence."""
    first: dict[str, str] = {}
    pairs = ((first.setdefault(spelling_key(name), name), name) for name in dict.fromkeys(names))
    return [(one, other) for one, other in pairs if one != other]
