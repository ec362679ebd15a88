"""Show text of unknown origin without letting it act on the terminal, or forge lines and rows."""

import json
import unicodedata

# Controls (C0, DEL, C1), formats (bidi overrides, zero-width, tags), lone surrogates, line and paragraph separators.
_CATEGORIES = {'Cc', 'Cf', 'Cs', 'Zl', 'Zp'}
# Letters and marks that leave no ink: fillers of Hangul, the grapheme joiner, vowels of Khmer that are not written.
_INVISIBLE = set('\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0')


def printable(text: object, *, lines: bool = False) -> str:
    r"""Return a text with an escape such as ``\x1b`` in place of each character that acts or cannot be seen.

    Call it where text is shown, not where it is read: names stay what they are in data and in JSON. Letters of any
    script, accents and ordinary emoji are kept. What comes out is left as it is by a second call.

    Args:
        text: What to show; anything but a text is turned into one.
        lines: Keep line breaks and tabs: the text has several lines of the program's own.

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
    """Return a name of unknown origin as an error quotes it: printable, on one line, and cut where it is too long.

    Args:
        text: The name.
        most: Characters of it that are shown.
    """
    text = str(text)
    return f"'{printable(text[:most])}'{'...' if len(text) > most else ''}"


def printable_json(value: object) -> str:
    """Return a value as JSON for the screen: readable letters of any script, and escapes for what cannot be seen."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return ''.join(char if char == '\n' or _is_visible(char) else json.dumps(char)[1:-1] for char in text)


def _is_visible(char: str) -> bool:
    return unicodedata.category(char) not in _CATEGORIES and char not in _INVISIBLE


def _escape(char: str) -> str:
    # As in Python's own literals; `ascii` writes lone surrogates, too.
    return ascii(char)[1:-1]
