"""Checks of arguments that several public functions share."""

from numbers import Integral

from avzoo.utils.errors import ConfigError


def check_positive(name: str, value: int) -> None:
    """Refuse a count that is not whole, or below 1.

    Raises:
        ConfigError: Names the argument and what it may be.
    """
    if not isinstance(value, Integral) or value < 1:
        raise ConfigError(f'{name}={value}; give a whole number of at least 1.')
