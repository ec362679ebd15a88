"""A config as plain data: what a checkpoint may carry, and what belongs only to the run."""

from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from mmengine.config import Config

from avzoo.config.plain import PlainConfig
from avzoo.utils.errors import ConfigError

# Where and how a run ran; of no use to those who receive its weights.
RUN_KEYS = ('work_dir', 'experiment_name', 'load_from', 'resume', 'launcher', 'log_level')
_PLAIN_TYPES = (str, int, float, bool, type(None))


def as_plain(cfg: Config | Mapping[str, Any]) -> dict[str, Any]:
    """Return a config as dicts, lists, tuples and plain values, which a checkpoint can be read with.

    Numpy scalars become the Python values that they stand for. A config that is edited in Python may hold any object;
    a checkpoint that carries one could be written, but reading it is refused.

    Raises:
        ConfigError: For the first value of another kind; names its config path.
    """
    return _plain(cfg.to_dict() if isinstance(cfg, Config) else cfg, '')


def plain_config(cfg: Config) -> PlainConfig:
    """Return a copy of a config that holds nothing but plain values, see :func:`as_plain`."""
    return PlainConfig(as_plain(cfg), cfg_text=cfg.text, filename=cfg.filename)


def portable_config(values: dict[str, Any]) -> dict[str, Any]:
    """Return a config without what belongs to one run on one machine.

    Absolute paths are dropped with their keys, at any depth; of a ``data_root`` the last part is kept.
    """
    return {key: _portable(value) for key, value in _without_paths(values).items() if key not in RUN_KEYS}


def _plain(value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        return {_plain(key, path): _plain(item, f'{path}.{key}' if path else str(key)) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_plain(item, f'{path}.{i}') for i, item in enumerate(value))
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) not in _PLAIN_TYPES:
        raise ConfigError(
            f'{path}={value!r} is of type {type(value).__name__}, which a checkpoint cannot carry. A config holds '
            'dicts, lists, tuples, strings, numbers, True, False and None.'
        )
    return value


def _portable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _portable(item) for key, item in _without_paths(value).items()}
    if isinstance(value, list | tuple):
        return [_portable(item) for item in value if not _is_absolute(item)]
    return value


def _without_paths(values: dict[str, Any]) -> dict[str, Any]:
    named = {
        key: PurePath(value).name if key == 'data_root' and _is_absolute(value) else value
        for key, value in values.items()
    }
    return {key: value for key, value in named.items() if not _is_absolute(value)}


def _is_absolute(value: Any) -> bool:
    """Return whether a value is an absolute path, of any operating system."""
    return isinstance(value, str) and (
        value.startswith(('~/', 'file:')) or PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()
    )
