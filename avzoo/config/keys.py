"""Which keys a config may and must have."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from avzoo.config.parts import find_classes, find_registered_class
from avzoo.config.types import check_types
from avzoo.datasets.window import Window
from avzoo.utils.errors import ConfigError, nearest

__all__ = ['check_keys', 'find_registered_class', 'known_keys', 'refuse_moved', 'unknown_key']

_REQUIRED = (
    'method',
    'data_root',
    'num_shots',
    'model',
    'data_preprocessor',
    'curriculum',
    'train_dataloader',
    'val_dataloader',
    'test_dataloader',
    'val_evaluator',
    'optim_wrapper',
    'randomness',
)
_TOP_LEVEL = {
    *_REQUIRED,
    'synthesize',
    'param_scheduler',
    'auto_scale_lr',
    'default_hooks',
    'custom_hooks',
    'env_cfg',
    'visualizer',
    'log_level',
    'log_processor',
    'default_scope',
    'runner_type',
    'work_dir',
    'model_wrapper_cfg',
    'custom_imports',
}
_SUBSTAGE = {'max_epochs', 'monitor', 'freeze', 'frozen_mode'}
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_LOADER = {
    'batch_size',
    'num_workers',
    'persistent_workers',
    'pin_memory',
    'prefetch_factor',
    'dataset',
    'sampler',
    'batch_sampler',
    'worker_init_fn',
}
_MODALITIES = {'audio', 'visual'}
_SECTIONS = {
    '': _TOP_LEVEL,
    'curriculum': {'base', 'full', 'num_draws', 'validate', 'gamma_epoch', 'zero_gamma', 'lr_drops', 'references'},
    'curriculum.base': _SUBSTAGE,
    'curriculum.full': {*_SUBSTAGE, 'carry_optimizer'},
    **dict.fromkeys(_LOADERS, _LOADER),
    **dict.fromkeys(
        ('model.encoders', 'data_preprocessor.scale', 'data_preprocessor.norm', 'data_preprocessor.gain'), _MODALITIES
    ),
    'optim_wrapper.paramwise_cfg': {
        'custom_keys',
        'bias_lr_mult',
        'bias_decay_mult',
        'norm_decay_mult',
        'flat_decay_mult',
        'dwconv_decay_mult',
        'dcn_offset_lr_mult',
        'bypass_duplicate',
    },
    'optim_wrapper.clip_grad': {'type', 'max_norm', 'norm_type', 'error_if_nonfinite', 'foreach', 'clip_value'},
    'default_hooks': {'runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint'},
    'randomness': {'seed', 'deterministic', 'diff_rank_seed'},
    'auto_scale_lr': {'base_batch_size', 'enable'},
    'custom_imports': {'imports', 'allow_failed_imports'},
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'env_cfg.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
    'env_cfg.dist_cfg': {'backend', 'init_backend', 'timeout', 'init_method'},
}
_OPEN_ENDED = ('model.encoders', 'default_hooks')  # A file may name others; an option only those that are there.
_BY_PHASE = {
    'splits': 'each phase has its own.',
    'num_shots': 'set num_shots.',
    'data_root': 'set data_root.',
    'modalities': 'they are those of model.encoders.',
    'seed': 'set randomness.seed.',
}
# Keys that would be overwritten or passed over, and where what they say is said.
_MOVED = {
    'launcher': 'it is given on the command line: --launcher.',
    'resume': 'it is given on the command line: --resume.',
    'vis_backends': 'they stand in visualizer.vis_backends.',
    'model.frozen': 'set curriculum.base.freeze and curriculum.full.freeze.',
    'model.frozen_mode': 'set curriculum.full.frozen_mode.',
    'model.data_info': 'it is read from the feature store.',
    'model.data_preprocessor': 'it stands at the top: data_preprocessor.',
    'train_dataloader.batch_sampler.subsets': 'each phase has its own.',
    'param_scheduler.monitor': 'set curriculum.base.monitor and curriculum.full.monitor.',
    **{f'{loader}.dataset.{key}': cure for loader in _LOADERS for key, cure in _BY_PHASE.items()},
}
_FREE_FORM = {'log_processor', 'model_wrapper_cfg'}
_TYPED = ('model', 'data_preprocessor', 'val_evaluator', 'param_scheduler', 'custom_hooks', 'visualizer')


def check_keys(cfg: Config) -> None:
    """Compare every key with what its section or its registered part takes.

    Raises:
        ConfigError: For the first unknown or missing key or part; names the config path and the nearest valid name.
    """
    _compare(cfg, _TOP_LEVEL, '')
    for key in _REQUIRED:
        if cfg.get(key) is None:
            raise ConfigError(
                f"The config has no '{key}'. Each experiment needs: {', '.join(_REQUIRED)}; the files in "
                'configs/_base_/ set them.'
            )
    for key in _TYPED:
        _check_typed(cfg.get(key), key)
    for key, value in cfg.items():
        if key not in _FREE_FORM:
            _check_tree(value, key)


def known_keys(node: Mapping, path: str) -> set[str] | None:
    """Return the keys that the section at ``path`` may have, or ``None`` where any may stand."""
    if path in _SECTIONS:
        return _SECTIONS[path]
    cls = _class_at(node, path)
    known = cls and _signature(cls)
    if known is not None and path == 'optim_wrapper':
        known = known | {'constructor', 'paramwise_cfg'}
    if known is not None and path.split('.')[0] in ('custom_hooks', 'default_hooks'):
        known = known | {'priority'}
    return known


def unknown_key(path: str, choices: set[str]) -> ConfigError:
    """Return the error of a key that does not exist; ``path`` ends in it."""
    section = path.rpartition('.')[0]
    inherited = (
        f' If {section} inherits it from another part, put _delete_=True beside its type.' if 'type' in choices else ''
    )
    return ConfigError(
        f"Unknown config key '{path}'.{nearest(path.rpartition('.')[2], choices)} "
        f'Valid here: {", ".join(sorted(choices))}.{inherited}'
    )


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
        cls = _class_at(node, path)
        if cls is not None:
            check_types(node, cls, path)
        for key, value in node.items():
            _check_tree(value, f'{path}.{key}')


def _compare(node: Mapping, known: set[str], path: str) -> None:
    for key in node:
        refuse_moved(path, key)
        if key not in known and not key.startswith('_'):
            raise unknown_key(f'{path}.{key}' if path else key, known)


def refuse_moved(path: str, key: str) -> None:
    """Refuse a key, below the section at ``path``, that is said elsewhere and would do nothing where it stands."""
    full = re.sub(r'^param_scheduler\.\d+', 'param_scheduler', f'{path}.{key}' if path else key)
    if full in _MOVED:
        raise ConfigError(f"'{full}' is no config key: {_MOVED[full]}")


def _class_at(node: Mapping, path: str) -> type | None:
    """Return the class that takes the values of a section, if one class does."""
    if path.endswith('.dataset.window'):
        return Window
    if path in _SECTIONS or not isinstance(node.get('type'), str):
        return None
    classes = find_classes(node['type'], path)
    # Only where a part builds its own parts may a name mean several: the one that takes these keys is meant.
    return next((cls for cls in classes if set(node) <= (_signature(cls) or set(node))), classes[0])


def _signature(cls: type) -> set[str] | None:
    parameters = inspect.signature(cls).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {'type', '_scope_', '_delete_'} | {p.name for p in parameters}
