"""Plain values as JSON and back, for another process: tuples stay tuples, and keys keep their types."""

import json
from typing import Any


def to_json(value: Any) -> str:
    """Return plain values, see :func:`avzoo.config.as_data.as_plain`, as one line of JSON."""
    return json.dumps(_packed(value))


def from_json(text: str) -> Any:
    """Return the values that :func:`to_json` wrote: equal ones, of the same types, in the same order."""
    return _unpacked(json.loads(text))


def _packed(value: Any) -> Any:
    if isinstance(value, dict):
        return {'dict': [[_packed(key), _packed(item)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {'tuple': [_packed(item) for item in value]}
    return [_packed(item) for item in value] if isinstance(value, list) else value


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, items),) = value.items()
    if kind == 'dict':
        return {_unpacked(key): _unpacked(item) for key, item in items}
    return tuple(_unpacked(item) for item in items)
