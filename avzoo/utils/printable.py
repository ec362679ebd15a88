"""Show text of unknown origin without letting it act on the terminal, or forge lines and rows."""

import json
import unicodedata

# Controls (C0, DEL, C1), formats (bidi overrides, zero-width, tags), lone surrogates, line and paragraph separators.
_CATEGORIES = {'Cc', 'Cf', 'Cs', 'Zl', 'Zp'}
# Invisible letters and marks: Hangul fillers, the grapheme joiner, inherent Khmer vowels.
_INVISIBLE = set('\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0')


def printable(text: object, *, lines: bool = False) -> str:
    r"""Replace each control or invisible character of a text by an escape such as ``\x1b``.

    Call it where text is shown, not where it is read: names stay unchanged in data and in JSON. Letters of any
    script, accents and ordinary emoji are kept. A second call changes nothing.

    Args:
        text: What to show; converted to a string.
        lines: Keep line breaks and tabs: the text has several lines written by the program itself.

    Examples:
        >>> printable('dog\x1b[2J\nbark')
        'dog\\x1b[2J\\nbark'
    """
    text = str(text)
    if text.isascii() and text.isprintable():
        return text
    kept = '\n\t' if lines else ''
    return ''.join(char if char in kept or _is_visible(char) else _escape(char) for char in text)


def quoted(text: object, most: int = 200) -> str:
    """Quote a name of unknown origin for an error: printable, on one line, and cut if it is too long.

    Args:
        text: The name.
        most: Number of characters to show.
    """
    text = str(text)
    return f"'{printable(text[:most])}'{'...' if len(text) > most else ''}"


def printable_json(value: object) -> str:
    """Return a value as JSON for the screen: letters of any script are readable, invisible characters escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return ''.join(char if char == '\n' or _is_visible(char) else json.dumps(char)[1:-1] for char in text)


def _is_visible(char: str) -> bool:
    return unicodedata.category(char) not in _CATEGORIES and char not in _INVISIBLE


def _escape(char: str) -> str:
    # As in Python literals; `ascii` also handles lone surrogates.
    return ascii(char)[1:-1]
