"""Comparing the values of a config with the annotations of the class that receives them."""

import inspect
import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from avzoo.utils.errors import ConfigError, nearest

_FOREIGN = ('torch', 'mmengine')  # They do not keep to their own annotations.


@dataclass(frozen=True)
class Limit:
    """What an annotation does not say by its type, as in ``Annotated[int, Limit('an even number', is_even)]``.

    Attributes:
        words: What a value must be, for the error.
        fits: Whether a value of the type may be set.
    """

    words: str
    fits: Callable[[Any], bool] = lambda value: True


@lru_cache(maxsize=1024)  # Python reads a signature in a tenth of a millisecond, and a config asks for hundreds.
def parameters_of(cls: type) -> Mapping[str, inspect.Parameter]:
    """Return what the constructor of a class takes, by name."""
    return inspect.signature(cls).parameters


def check_types(node: Mapping, cls: type, path: str) -> None:
    """Compare the values of a section with the annotations of the class that receives them.

    In classes of avzoo a whole number without a default, or with a default of at least 1, is a count and is refused
    below 1; one whose default is 0 is refused below 0.

    Args:
        node: The section.
        cls: The class that receives its values.
        path: Path of the section; empty for the whole config.

    Raises:
        ConfigError: For the first value that does not fit; names its path and what would fit.
    """
    if cls.__module__.split('.')[0] in _FOREIGN:
        return
    for name, parameter in parameters_of(cls).items():
        if name in node:
            _check(node[name], parameter.annotation, _least(parameter, cls), f'{path}.{name}' if path else name)


def check_present(node: Mapping, cls: type, path: str) -> None:
    """Refuse a section in which a key without a default is missing or ``None``.

    Raises:
        ConfigError: For the first such key.
    """
    needed = {p.name: p.annotation for p in parameters_of(cls).values() if p.default is inspect.Parameter.empty}
    for key, annotation in needed.items():
        if node.get(key) is None:
            owner = f"'{path}'" if path else 'The config'
            hint = '' if path else ' The files in configs/_base_/ set them.'
            raise ConfigError(f"{owner} has no '{key}': {_words(annotation)}. It needs: {', '.join(needed)}.{hint}")


def _check(value: Any, annotation: Any, least: int | None, path: str) -> None:
    if _fits(value, annotation) and (least is None or value is None or value >= least):
        return
    if get_origin(annotation) is tuple and isinstance(value, list | tuple):
        value = next((item for item in value if not _fits(item, get_args(annotation)[0])), value)
    words = _words(annotation) + ('' if least is None else f' of at least {least}')
    raise ConfigError(f'{path}={value!r} is not possible.{nearest(value, _choices(annotation))} It must be {words}.')


def _least(parameter: inspect.Parameter, cls: type) -> int | None:
    default = parameter.default
    if parameter.annotation not in (int, int | None) or not cls.__module__.startswith('avzoo.'):
        return None
    if default is inspect.Parameter.empty:
        return 1
    return None if not isinstance(default, int) or default < 0 else min(default, 1)


def _choices(annotation: Any) -> tuple:
    inner = get_args(annotation)
    return inner if get_origin(annotation) is Literal else tuple(c for one in inner for c in _choices(one))


def _fits(value: Any, annotation: Any) -> bool:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        limits = [one for one in inner[1:] if isinstance(one, Limit)]
        return _fits(value, inner[0]) and all(limit.fits(value) for limit in limits)
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
    if is_dataclass(kind):
        return isinstance(value, Mapping | kind)
    if kind in (dict, Mapping):
        return isinstance(value, Mapping) and all(_fits(v, inner[1]) for v in value.values() if len(inner) == 2)
    if kind in (list, tuple, Sequence):
        return isinstance(value, list | tuple) and _items_fit(value, kind, inner)
    if annotation in (Any, inspect.Parameter.empty) or not isinstance(annotation, type):
        return True
    # A config names or describes an object, and the class that takes it checks it. A bare number describes none.
    return not isinstance(value, int | float)


def _items_fit(values: Sequence, kind: type, inner: tuple) -> bool:
    if kind is tuple and inner[1:] != (...,) and inner:
        return len(values) == len(inner) and all(map(_fits, values, inner))
    return not inner or all(_fits(value, inner[0]) for value in values)


def _words(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return next((one.words for one in inner[1:] if isinstance(one, Limit)), None) or _words(inner[0])
    if origin in (Union, types.UnionType):
        return ' or '.join(dict.fromkeys(_words(one) for one in inner))
    if origin is Literal:
        return 'one of ' + ', '.join(map(str, inner))
    if annotation in (None, type(None)):
        return 'None'
    kind = origin or annotation
    named = {bool: 'True or False', int: 'a whole number', float: 'a number', str: 'a string'}
    if kind in named:
        return named[kind]
    if kind in (dict, Mapping) or is_dataclass(kind):
        return 'a section (a dict)' + (f' in which each value is {_words(inner[1])}' if len(inner) == 2 else '')
    if kind in (list, tuple, Sequence):
        return 'a list' + (f' in which each item is {_words(inner[0])}' if inner else '')
    return f'a {getattr(kind, "__name__", kind)}'
