"""Comparing the values of a config with the annotations of the part that takes them."""

import inspect
import math
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from avzoo.utils.errors import ConfigError, nearest

_FOREIGN = ('torch', 'mmengine')  # Their annotations are not kept to by themselves.


def check_types(node: Mapping, cls: type, path: str) -> None:
    """Compare the values of a part's section with the annotations of its constructor.

    In parts of avzoo a whole number without a default, or with one of at least 1, counts something that there must be,
    and is refused below 1; one whose default is 0 is refused below 0.

    Args:
        node: The section.
        cls: The class that takes its values.
        path: Where the section stands.

    Raises:
        ConfigError: For the first value that does not fit; names its path and what would.
    """
    if cls.__module__.split('.')[0] in _FOREIGN:
        return
    for name, parameter in inspect.signature(cls).parameters.items():
        if name not in node:
            continue
        value, annotation = node[name], parameter.annotation
        if not _fits(value, annotation):
            choices = get_args(annotation) if get_origin(annotation) is Literal else ()
            raise ConfigError(
                f'{path}.{name}={value!r} is not possible.{nearest(value, choices)} It must be {_words(annotation)}.'
            )
        least = _least(parameter, cls)
        if least is not None and isinstance(value, int) and value < least:
            raise ConfigError(f'{path}.{name}={value!r} is not possible; it must be at least {least}.')


def _least(parameter: inspect.Parameter, cls: type) -> int | None:
    default = parameter.default
    if parameter.annotation is not int or not cls.__module__.startswith('avzoo.'):
        return None
    if default is inspect.Parameter.empty:
        return 1
    return None if not isinstance(default, int) or default < 0 else min(default, 1)


def _fits(value: Any, annotation: Any) -> bool:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if annotation in (None, type(None)):
        return value is None
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if annotation in (bool, str):
        return isinstance(value, annotation)
    kind = origin or annotation
    if kind in (dict, Mapping):
        return isinstance(value, Mapping) and all(_fits(v, inner[1]) for v in value.values() if len(inner) == 2)
    if kind in (list, tuple, Sequence):
        return isinstance(value, list | tuple) and _items_fit(value, kind, inner)
    if annotation in (Any, inspect.Parameter.empty) or not isinstance(annotation, type):
        return True
    # A config names or describes an object; who takes it, judges it. A bare number describes none.
    return not isinstance(value, int | float)


def _items_fit(values: Sequence, kind: type, inner: tuple) -> bool:
    if kind is tuple and inner[1:] != (...,) and inner:
        return len(values) == len(inner) and all(map(_fits, values, inner))
    return not inner or all(_fits(value, inner[0]) for value in values)


def _words(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return ' or '.join(dict.fromkeys(_words(one) for one in inner))
    if origin is Literal:
        return 'one of ' + ', '.join(map(str, inner))
    if annotation in (None, type(None)):
        return 'None'
    kind = origin or annotation
    named = {bool: 'True or False', int: 'a whole number', float: 'a number', str: 'a text'}
    if kind in named:
        return named[kind]
    if kind in (dict, Mapping):
        return 'a section (a dict)' + (f' in which each value is {_words(inner[1])}' if len(inner) == 2 else '')
    if kind in (list, tuple, Sequence):
        return 'a list' + (f' in which each item is {_words(inner[0])}' if inner else '')
    return f'a {getattr(kind, "__name__", kind)}'
