"""Reading configs so that mistakes are found before anything runs."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from avzoo.config.bases import refuse_other_languages
from avzoo.config.keys import check_keys
from avzoo.config.options import apply_option
from avzoo.config.user_code import place_in_user_code
from avzoo.config.values import check_values
from avzoo.utils.errors import ConfigError, most_similar


def load_config(path: str | os.PathLike[str], options: Sequence[str] = (), *, of_runs: bool = True) -> Config:
    """Read a config file, apply ``key=value`` options and check every key.

    Args:
        path: The file.
        options: The options.
        of_runs: Also check the parts that only training and testing build.

    Raises:
        ConfigError: If the file is missing or broken, or a key is unknown, missing or of an impossible value.
    """
    path = Path(path)
    if not path.is_file():
        where = (
            'The configs are in configs/METHOD/.' if path.suffix else 'Nor is it the folder of a run or a classifier.'
        )
        raise ConfigError(f'There is no config {path}.{_nearest_file(path)} {where}')
    if path.suffix in ('.pth', '.pt', '.safetensors'):
        raise ConfigError(f'{path} is a file of weights where a config is expected; name the config first.')
    refuse_other_languages(path)
    try:
        cfg = Config.fromfile(path)
    except (Exception, SystemExit) as error:
        raise ConfigError(f'{path} cannot be read: {_reason(error)}') from error
    _drop_notes(cfg._cfg_dict)
    for option in options:
        apply_option(cfg, option)
    check_config(cfg, of_runs=of_runs)
    return cfg


def _drop_notes(node: Any) -> None:
    """Remove what is meant only for mmengine.

    That is ``_scope_``, which it notes in each section of a base ``avzoo::...`` (a checkpoint must name no package),
    and a ``_delete_`` that had no base to act on.
    """
    if isinstance(node, dict):
        if node.get('_scope_') == 'avzoo':
            del node['_scope_']
        node.pop('_delete_', None)
        for value in node.values():
            _drop_notes(value)
    elif isinstance(node, list | tuple):
        for value in node:
            _drop_notes(value)


def _reason(error: BaseException) -> str:
    """Say why a config cannot be read; of ``custom_imports`` mmengine says only that they failed."""
    if isinstance(error, SystemExit):
        return 'it ends the process (SystemExit). Remove its call to exit().'
    if not str(error).startswith('Failed to import custom modules'):
        return f'{type(error).__name__}: {error}{place_in_user_code(error)}'
    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    return (
        f'its custom_imports failed with {type(cause).__name__}: {cause}{place_in_user_code(cause)}. A module is found '
        'if it is installed, or if PYTHONPATH has its folder.'
    )


def _nearest_file(path: Path) -> str:
    """Suggest the file with the most similar name: its stem within this folder, its path in one beside it."""
    files = {p.stem: p for p in path.parent.parent.glob('*/*.py')} | {p.stem: p.stem for p in path.parent.glob('*.py')}
    stem = most_similar(path.stem, files)
    return '' if stem is None else f" Did you mean '{files[stem]}'?"


def check_config(cfg: Config, *, of_runs: bool = True) -> None:
    """Check every key, every registered part and every value.

    Args:
        cfg: The config.
        of_runs: Also check the parts that only training and testing build.

    Raises:
        ConfigError: For the first mistake; names the config path, its value and the fix.
    """
    check_keys(cfg, of_runs=of_runs)
    check_values(cfg, of_runs=of_runs)
