"""Which keys a config may and must have."""

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.config import Config

from avzoo import registry
from avzoo.utils.errors import ConfigError, nearest

_REQUIRED = ('method', 'data_root', 'num_shots', 'model', 'data_preprocessor', 'curriculum', 'train_dataloader',
             'val_dataloader', 'test_dataloader', 'val_evaluator', 'optim_wrapper', 'randomness')
_TOP_LEVEL = {*_REQUIRED, 'synthesize', 'param_scheduler', 'auto_scale_lr', 'default_hooks', 'custom_hooks', 'env_cfg',
              'visualizer', 'log_level', 'log_processor', 'default_scope', 'runner_type', 'work_dir',
              'model_wrapper_cfg', 'custom_imports'}
_SUBSTAGE = {'max_epochs', 'monitor', 'freeze', 'frozen_mode'}
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_LOADER = {'batch_size', 'num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'drop_last', 'dataset',
           'sampler', 'batch_sampler', 'worker_init_fn'}
_WINDOW = {'steps', 'position', 'audio_length', 'last_start'}
_MODALITIES = {'audio', 'visual'}
_SECTIONS = {
    '': _TOP_LEVEL,
    'curriculum': {'base', 'full', 'num_draws', 'validate', 'gamma_epoch', 'zero_gamma', 'references'},
    'curriculum.base': _SUBSTAGE,
    'curriculum.full': {*_SUBSTAGE, 'carry_optimizer'},
    **dict.fromkeys(_LOADERS, _LOADER),
    **dict.fromkeys((f'{loader}.dataset.window' for loader in _LOADERS), _WINDOW),
    **dict.fromkeys(('model.encoders', 'data_preprocessor.scale', 'data_preprocessor.norm', 'data_preprocessor.gain'),
                    _MODALITIES),
    'optim_wrapper.clip_grad': {'type', 'max_norm', 'norm_type', 'error_if_nonfinite', 'foreach', 'clip_value'},
    'default_hooks': {'runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint'},
    'randomness': {'seed', 'deterministic', 'diff_rank_seed'},
    'auto_scale_lr': {'base_batch_size', 'enable'},
    'custom_imports': {'imports', 'allow_failed_imports'},
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
}
_OPEN_ENDED = ('model.encoders', 'default_hooks')  # A file may name others; an option only those that are there.
_MOVED = {'launcher': 'it is given on the command line: --launcher.',
          'resume': 'it is given on the command line: --resume.',
          'vis_backends': 'they stand in visualizer.vis_backends.'}
_FREE_FORM = {'log_processor', 'model_wrapper_cfg'}
_TYPED = ('model', 'data_preprocessor', 'val_evaluator', 'param_scheduler', 'custom_hooks', 'visualizer')
_FOREIGN = ('OPTIMIZERS', 'PARAM_SCHEDULERS', 'VISUALIZERS', 'VISBACKENDS', 'WEIGHT_INITIALIZERS')


def check_keys(cfg: Config) -> None:
    """Compare every key with what its section or its registered part takes.

    Raises:
        ConfigError: For the first unknown or missing key or part; names the config path and the nearest valid name.
    """
    _compare(cfg, _TOP_LEVEL, '')
    for key in _REQUIRED:
        if cfg.get(key) is None:
            raise ConfigError(f"The config has no '{key}'. Each experiment needs: {', '.join(_REQUIRED)}; the files in "
                              'configs/_base_/ set them.')
    for key in _TYPED:
        _check_typed(cfg.get(key), key)
    for key, value in cfg.items():
        if key not in _FREE_FORM:
            _check_tree(value, key)


def known_keys(node: Mapping, path: str) -> set[str] | None:
    """Return the keys that the section at ``path`` may have, or ``None`` where any may stand."""
    if path in _SECTIONS:
        return _SECTIONS[path]
    if 'type' not in node:
        return None
    known = _arguments(node['type'], path)
    if known is not None and path == 'optim_wrapper':
        known = known | {'constructor', 'paramwise_cfg'}
    if known is not None and path.split('.')[0] in ('custom_hooks', 'default_hooks'):
        known = known | {'priority'}
    return known


def unknown_key(path: str, choices: set[str]) -> ConfigError:
    """Return the error of a key that does not exist; ``path`` ends in it."""
    if path in _MOVED:
        return ConfigError(f"'{path}' is no config key: {_MOVED[path]}")
    return ConfigError(f"Unknown config key '{path}'.{nearest(path.rpartition('.')[2], choices)} "
                       f"Valid here: {', '.join(sorted(choices))}.")


def _check_typed(value: Any, path: str) -> None:
    if isinstance(value, list | tuple):
        for i, item in enumerate(value):
            _check_typed(item, f'{path}.{i}')
    elif isinstance(value, Mapping) and 'type' not in value:
        raise ConfigError(f"{path} has no 'type' that says which part it is; it has: {', '.join(value) or 'nothing'}.")


def _check_tree(node: Any, path: str) -> None:
    if isinstance(node, list | tuple):
        for i, item in enumerate(node):
            _check_tree(item, f'{path}.{i}')
    elif isinstance(node, Mapping):
        known = known_keys(node, path)
        if known is not None and path not in _OPEN_ENDED:
            _compare(node, known, path)
        for key, value in node.items():
            _check_tree(value, f'{path}.{key}')


def _compare(node: Mapping, known: set[str], path: str) -> None:
    for key in node:
        if key not in known and not key.startswith('_'):
            raise unknown_key(f'{path}.{key}' if path else key, known)


def _arguments(type_name: Any, path: str) -> set[str] | None:
    """Return the arguments that a registered part takes; ``None`` if it takes any."""
    if not isinstance(type_name, str):
        return None
    registries = [r for r in vars(registry).values() if isinstance(r, registry.PartRegistry)]
    foreign = [getattr(mmengine_registry, name) for name in _FOREIGN]
    for one in (*registries, *foreign):
        cls = one.get(type_name)
        if cls is not None:
            return _signature(cls)
    names = {name for one in registries for name in one.names()}
    names |= {name for one in (*foreign, mmengine_registry.HOOKS) for name in one.module_dict}
    raise ConfigError(f"{path}.type='{type_name}' is not registered anywhere.{nearest(type_name, sorted(names))}")


def _signature(cls: type) -> set[str] | None:
    parameters = inspect.signature(cls).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {'type', '_scope_', '_delete_'} | {p.name for p in parameters}
