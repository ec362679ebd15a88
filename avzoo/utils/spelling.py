"""Find names that are spellings of the same name."""

import re
import unicodedata
from collections.abc import Iterable

_BLANKS = re.compile(r'(?<![0-9])[\s_]+|[\s_]+(?![0-9])')  # not those between digits: 1 2 is not 12
# Invisible, though they are not format characters: joiners, fillers and variation selectors.
_UNSEEN = re.compile('[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]')


def spelling_key(name: str) -> str:
    """Return a key that all spellings of a name share.

    They may differ in case, in the Unicode form of accented letters, in zero-width characters, and in blanks or
    underscores.
    """
    seen = _UNSEEN.sub('', name)
    visible = ''.join(char for char in unicodedata.normalize('NFKC', seen) if unicodedata.category(char) != 'Cf')
    return _BLANKS.sub('', unicodedata.normalize('NFKC', visible.casefold()))


def spellings(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return each pair of different names that are spellings of the same name, by their first occurrence."""
    first: dict[str, str] = {}
    pairs = ((first.setdefault(spelling_key(name), name), name) for name in dict.fromkeys(names))
    return [(one, other) for one, other in pairs if one != other]
