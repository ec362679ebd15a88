"""Argument checks shared by several public functions."""

from numbers import Integral

from avzoo.utils.errors import ConfigError


def check_positive(name: str, value: int) -> int:
    """Return a count as a Python int, as checkpoints must not hold numpy numbers.

    Raises:
        ConfigError: If it is not a whole number, or below 1; names the argument and what it may be.
    """
    return _whole(name, value, 1)


def check_natural(name: str, value: int) -> int:
    """Return a number that may be 0, as :func:`check_positive` does."""
    return _whole(name, value, 0)


def _whole(name: str, value: object, least: int) -> int:
    if not isinstance(value, Integral) or int(value) < least:
        raise ConfigError(f'{name}={value!r}; give a whole number of at least {least}.')
    return int(value)
