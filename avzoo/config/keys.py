"""Which keys a config may and must have."""

import re
from collections.abc import Container, Mapping
from functools import lru_cache
from typing import Any

from mmengine.config import Config

from avzoo.config.parts import find_classes, registry_at
from avzoo.config.settings import LOADERS, SETTINGS
from avzoo.config.types import check_present, check_types, parameters_of
from avzoo.datasets.window import Window
from avzoo.protocol import MODALITIES
from avzoo.utils.errors import ConfigError, nearest

_MODALITIES = set(MODALITIES)
# Sections that mmengine reads, or that name modalities. Those of avzoo itself are in avzoo.config.settings.
_SECTIONS = {
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
    'default_hooks': {'runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint'},
    'auto_scale_lr': {'base_batch_size', 'enable'},
    'custom_imports': {'imports', 'allow_failed_imports'},
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'env_cfg.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
    'env_cfg.dist_cfg': {'backend', 'init_backend', 'timeout', 'init_method'},
}
_OPEN_ENDED = ('model.encoders', 'default_hooks')  # A file may name others, an option only existing ones.
_BY_PHASE = {
    'splits': 'each phase has its own.',
    'num_shots': 'set num_shots.',
    'data_root': 'set data_root.',
    'modalities': 'they are those of model.encoders.',
    'seed': 'set randomness.seed.',
}
# Keys that would be overwritten or ignored, and what to set instead.
_MOVED = {
    'launcher': 'give --launcher on the command line.',
    'resume': 'give --resume on the command line.',
    'vis_backends': 'set visualizer.vis_backends.',
    'model.frozen': 'set curriculum.base.freeze and curriculum.full.freeze.',
    'model.frozen_mode': 'set curriculum.full.frozen_mode.',
    'model.data_info': 'it is read from the feature store.',
    'model.data_preprocessor': 'set data_preprocessor at the top level.',
    'val_evaluator.calibration': 'set curriculum.calibration.',
    'train_dataloader.batch_sampler.subsets': 'each phase has its own.',
    'param_scheduler.monitor': 'set curriculum.base.monitor and curriculum.full.monitor.',
    **{f'{loader}.dataset.{key}': hint for loader in LOADERS for key, hint in _BY_PHASE.items()},
}
_EVERY_MODEL = ('encoders', 'fusion', 'head')
_FREE_FORM = {'log_processor', 'model_wrapper_cfg'}
# Sections made of parts that only training and testing build; naming these takes longer than to classify a clip.
_OF_RUNS = {'optim_wrapper', 'param_scheduler', 'default_hooks', 'custom_hooks', 'visualizer', 'val_evaluator'}


def check_keys(cfg: Config, *, of_runs: bool = True, only: Container[str] | None = None) -> None:
    """Compare every key with what its section or its registered part accepts.

    Args:
        cfg: The config.
        of_runs: Also compare those of sections that only training and testing read.
        only: Check only these keys of the config; the others were checked before.

    Raises:
        ConfigError: For the first unknown or missing key or part; names the config path and the nearest valid name.
    """
    _check_section(dict(cfg.items()), '')
    for key, value in cfg.items():
        if key not in _FREE_FORM and (of_runs or key not in _OF_RUNS) and (only is None or key in only):
            _check_tree(value, key)


def known_keys(node: Mapping, path: str) -> set[str] | None:
    """Return the keys that the section at ``path`` may have, or ``None`` if any key is allowed."""
    if path in _SECTIONS:
        return _SECTIONS[path]
    if path in SETTINGS:
        return set(parameters_of(SETTINGS[path]))
    cls = _class_at(node, path)
    known = None if cls is None else _signature(cls)
    if known is not None and path == 'optim_wrapper':
        known = known | {'constructor', 'paramwise_cfg'}
    if known is not None and path.split('.')[0] in ('custom_hooks', 'default_hooks'):
        known = known | {'priority'}
    return known


def unknown_key(path: str, choices: set[str]) -> ConfigError:
    """Return the error for a key that does not exist; ``path`` ends in it."""
    section = path.rpartition('.')[0]
    inherited = (
        f' If {section} inherits it from another part, put _delete_=True beside its type.' if 'type' in choices else ''
    )
    return ConfigError(
        f"Unknown config key '{path}'.{nearest(path.rpartition('.')[2], choices)} "
        f'Valid here: {", ".join(sorted(choices - {"_scope_"}))}.{inherited}'
    )


def _check_tree(node: Any, path: str) -> None:
    if isinstance(node, list | tuple):
        for i, item in enumerate(node):
            _check_tree(item, f'{path}.{i}')
    elif isinstance(node, Mapping):
        _check_section(node, path)
        for key, value in node.items():
            _check_tree(value, f'{path}.{key}')


def _check_section(node: Mapping, path: str) -> None:
    for key in node:
        if not isinstance(key, str):
            raise ConfigError(f"{path or 'The config'} has the key {key!r}, which is not a string. Write '{key}'.")
    if registry_at(path) is not None:
        _check_type(node, path)
    known = known_keys(node, path)
    if known is not None and path not in _OPEN_ENDED:
        _compare(node, known, path)
    if path in SETTINGS:
        check_present(node, SETTINGS[path], path)
    cls = _class_at(node, path)
    if cls is not None:
        check_types(node, cls, path)


def _check_type(node: Mapping, path: str) -> None:
    """Refuse a part without a type, a type that names no part, and a model that lacks what every model has."""
    if 'type' not in node:
        raise ConfigError(f"{path} has no 'type' that says which part it is; it has: {', '.join(node) or 'nothing'}.")
    if not (isinstance(node['type'], str) or callable(node['type'])):
        raise ConfigError(f'{path}.type={node["type"]!r} is not possible. It must be the name of a part.')
    if path == 'model' and (missing := [name for name in _EVERY_MODEL if node.get(name) is None]):
        raise ConfigError(f"'model' has no '{missing[0]}'. It needs: {', '.join(_EVERY_MODEL)}.")


def _compare(node: Mapping, known: set[str], path: str) -> None:
    for key in node:
        refuse_moved(path, key)
        if key not in known and not key.startswith('_'):
            raise unknown_key(f'{path}.{key}' if path else key, known)


def refuse_moved(path: str, key: str) -> None:
    """Refuse a key below the section at ``path`` that belongs elsewhere and would have no effect there."""
    full = re.sub(r'^param_scheduler\.\d+', 'param_scheduler', f'{path}.{key}' if path else key)
    if full in _MOVED:
        raise ConfigError(f"'{full}' is not a config key: {_MOVED[full]}")


def _class_at(node: Mapping, path: str) -> type | None:
    """Return the class that says which values a section may have, if one does."""
    if path in SETTINGS:
        return SETTINGS[path]
    if path.endswith('.dataset.window'):
        return Window
    if path in _SECTIONS or not isinstance(node.get('type'), str):
        return None
    classes = find_classes(node['type'], path)
    # Only where a part builds its own parts may a name mean several: the one that takes these keys is meant.
    return next((cls for cls in classes if set(node) <= (_signature(cls) or set(node))), classes[0])


@lru_cache(maxsize=1024)
def _signature(cls: type) -> set[str] | None:
    parameters = parameters_of(cls)
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return None
    return {'type', '_scope_', '_delete_', *parameters}
