"""A config whose text is cheap to format."""

from typing import Any

from mmengine.config import Config

_MOST_SECTIONS = 1000
_formatted: dict[str, str] = {}


class PlainConfig(Config):
    """A config of plain values; its text is that of mmengine's ``Config``.

    Each run logs, notes and writes its config, and mmengine formats the whole text each time, which took half of a
    short run. Here each section is formatted once in a process: few differ from one phase to the next.
    """

    @property
    def pretty_text(self) -> str:
        """The config as formatted Python."""
        values = self.to_dict()
        if not values or not all(str(key).isidentifier() for key in values):
            return super().pretty_text  # Not one assignment for each key.
        return ''.join(_section(key, values[key]) for key in sorted(values))


def _section(key: str, value: Any) -> str:
    plain = Config({key: value}, format_python_code=False).pretty_text
    if plain not in _formatted:
        if len(_formatted) >= _MOST_SECTIONS:
            _formatted.clear()
        _formatted[plain] = Config({key: value}).pretty_text
    return _formatted[plain]
