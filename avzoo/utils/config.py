"""Reading configs so that a typo is found before anything runs."""

import ast
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import OPTIMIZERS, PARAM_SCHEDULERS

from avzoo import registry
from avzoo.utils.errors import ConfigError, nearest

_TOP_LEVEL = {
    'data_root', 'num_shots', 'synthesize', 'method', 'model', 'data_preprocessor', 'curriculum', 'train_dataloader',
    'val_dataloader', 'test_dataloader', 'val_evaluator', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr',
    'default_hooks', 'custom_hooks', 'env_cfg', 'randomness', 'visualizer', 'vis_backends', 'log_level',
    'log_processor', 'launcher', 'default_scope', 'runner_type', 'work_dir', 'model_wrapper_cfg', 'resume',
}
_CURRICULUM = {'base', 'full', 'num_draws', 'validate', 'gamma_epoch', 'zero_gamma', 'references'}
_SUBSTAGE = {'max_epochs', 'monitor', 'freeze', 'frozen_mode', 'carry_optimizer'}
_LOADER = {'batch_size', 'num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'drop_last', 'dataset',
           'sampler', 'batch_sampler', 'worker_init_fn'}
_FREE_FORM = {'custom_hooks', 'env_cfg', 'visualizer', 'vis_backends', 'log_processor', 'model_wrapper_cfg'}


def load_config(path: str | Path, options: Sequence[str] = ()) -> Config:
    """Read a config file, apply ``key=value`` options and check every key.

    Raises:
        ConfigError: If the file is missing or broken, or a key is unknown.
    """
    path = Path(path)
    if not path.is_file():
        near = nearest(path.stem, [p.stem for p in path.parent.glob('*.py')]) if path.parent.is_dir() else ''
        raise ConfigError(f'There is no config {path}.{near} The configs lie in configs/METHOD/.')
    try:
        cfg = Config.fromfile(path)
    except Exception as error:
        raise ConfigError(f'{path} cannot be read: {type(error).__name__}: {error}') from error
    cfg.merge_from_dict(_parse_options(cfg, options))
    check_config(cfg)
    return cfg


def check_config(cfg: Config) -> None:
    """Compare every key with what the registered parts take.

    Raises:
        ConfigError: For the first unknown key or part; names the config path and the nearest valid name.
    """
    _check_keys(cfg, _TOP_LEVEL, '')
    for key, value in cfg.items():
        if key not in _FREE_FORM:
            _check_tree(value, key)


def _parse_options(cfg: Config, options: Sequence[str]) -> dict[str, Any]:
    parsed = {}
    for option in options:
        key, sign, text = option.partition('=')
        if not sign:
            raise ConfigError(f"--cfg-options takes key=value, got '{option}'.")
        _check_path(cfg, key)
        parsed[key] = parse_value(text)
    return parsed


def parse_value(text: str) -> Any:
    """Read a value of the command line: a Python literal, true / false / none, or else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {'true': True, 'false': False, 'none': None}.get(text.lower(), text)


def _check_path(cfg: Config, key: str) -> None:
    node, path = cfg, ''
    for part in key.split('.'):
        if isinstance(node, Mapping | Config):
            choices = set(node.keys()) | (_known_keys(node, path) or set())
            if part not in choices:
                raise _unknown(f'{path}{part}', part, choices)
            node = node.get(part)
        elif isinstance(node, list | tuple):
            if not part.isdigit() or int(part) >= len(node):
                raise ConfigError(f"--cfg-options: '{path[:-1]}' is a list of {len(node)}; '{part}' is no index.")
            node = node[int(part)]
        else:
            raise ConfigError(f"--cfg-options: '{path[:-1]}' has no key '{part}'; it is {node!r}.")
        path += f'{part}.'


def _known_keys(node: Mapping, path: str) -> set[str] | None:
    """Return the keys that a section may have, or ``None`` where any may stand."""
    name = path.rstrip('.')
    if not name:
        return _TOP_LEVEL
    if name == 'curriculum':
        return _CURRICULUM
    if name.startswith('curriculum.'):
        return _SUBSTAGE
    if name.endswith('_dataloader'):
        return _LOADER
    if 'type' in node:
        return _arguments(node['type'], name)
    return None


def _check_tree(node: Any, path: str) -> None:
    if isinstance(node, list | tuple):
        for i, item in enumerate(node):
            _check_tree(item, f'{path}.{i}')
    elif isinstance(node, Mapping):
        known = _known_keys(node, path)
        if known is not None:
            _check_keys(node, known, path)
        for key, value in node.items():
            _check_tree(value, f'{path}.{key}')


def _check_keys(node: Mapping, known: set[str], path: str) -> None:
    for key in node:
        if key not in known and not key.startswith('_'):
            raise _unknown(f'{path}.{key}' if path else key, key, known)


def _unknown(path: str, key: str, choices: set[str]) -> ConfigError:
    return ConfigError(f"Unknown config key '{path}'.{nearest(key, choices)} "
                       f"Valid here: {', '.join(sorted(choices))}.")


def _arguments(type_name: Any, path: str) -> set[str] | None:
    """Return the arguments that a registered part takes; ``None`` if it takes any."""
    if not isinstance(type_name, str):
        return None
    registries = [r for r in vars(registry).values() if isinstance(r, registry.PartRegistry)]
    for candidates in (registries, [OPTIMIZERS, PARAM_SCHEDULERS]):
        for one in candidates:
            cls = one.get(type_name)
            if cls is not None:
                return _signature(cls)
    names = sorted({name for one in registries for name in one.names()})
    raise ConfigError(f"{path}.type='{type_name}' is not registered anywhere.{nearest(type_name, names)}")


def _signature(cls: type) -> set[str] | None:
    parameters = inspect.signature(cls).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {'type', '_scope_', '_delete_'} | {p.name for p in parameters}
