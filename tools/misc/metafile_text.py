"""Change single values in a metafile, leaving its comments, order and layout unchanged."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from avzoo.utils.errors import ConfigError


def set_values(text: str, model: str, values: Mapping[str, Any], *, under: Sequence[str] = ()) -> str:
    """Return a metafile's text in which a model's entry has these values; ``None`` removes one.

    Args:
        text: The metafile, in block style with an indent of two spaces.
        model: Name of the model.
        values: Key to number, text, or flat list or mapping.
        under: Keys of the block to change, e.g. ``('Metadata',)``; the entry itself by default. ``('Results',)`` is the
            first result.
    """
    lines = text.split('\n')
    begin, end = _entry(lines, model)
    indent = '    '
    for key in under:
        begin, end, indent = _block(lines, begin, end, indent, key, model)
    for key, value in values.items():
        place = next((i for i in range(begin, end) if re.match(rf'{indent}(- )?{re.escape(key)}:', lines[i])), None)
        line = f'{indent}{key}: {_scalar(value)}'
        if place is None and value is not None:
            lines.insert(end, line)
            end += 1
        elif place is not None and value is None:
            del lines[place]
            end -= 1
        elif place is not None:
            lines[place] = line
    return '\n'.join(lines)


def _entry(lines: list[str], model: str) -> tuple[int, int]:
    """Return the lines [begin, end) of a model's entry after its name."""
    starts = [i for i, line in enumerate(lines) if re.match(r'  - Name: ', line)]
    found = [i for i in starts if lines[i].removeprefix('  - Name: ').strip(' \'"') == model]
    if not found:
        raise ConfigError(f"The metafile has no entry '  - Name: {model}'.")
    begin = found[-1] + 1  # Collections come first and might have the name of a model.
    return begin, _end(lines, begin, len(lines), 4)


def _block(lines: list[str], begin: int, end: int, indent: str, key: str, model: str) -> tuple[int, int, str]:
    for i in range(begin, end):
        if lines[i] == f'{indent}{key}:':
            first = lines[i + 1]
            deeper = len(first) - len(first.lstrip(' -'))
            stop = i + 2 if first.lstrip().startswith('-') else i + 1
            return i + 1, _end(lines, stop, end, deeper), ' ' * deeper
    raise ConfigError(f"The metafile's entry {model} has no block '{key}:'.")


def _end(lines: list[str], begin: int, limit: int, depth: int) -> int:
    """Return the first line at or after ``begin`` that is indented less than ``depth``."""
    for i in range(begin, limit):
        if len(lines[i]) - len(lines[i].lstrip(' ')) < depth:
            return i
    return limit


def _scalar(value: Any) -> str:
    if isinstance(value, Mapping):
        return '{' + ', '.join(f'{key}: {_scalar(item)}' for key, item in value.items()) + '}'
    if isinstance(value, list | tuple):
        return '[' + ', '.join(_scalar(item) for item in value) + ']'
    if isinstance(value, str) and not re.fullmatch(r'[A-Za-z_][\w ./+:-]*[\w/.]', value):
        return json.dumps(value, ensure_ascii=False)  # A JSON string is a YAML string.
    return str(value)
