"""Which registry the type at a path of a config is looked up in."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from avzoo.registry import (
    ALL_REGISTRIES,
    CONDITIONERS,
    DATA_SAMPLERS,
    DATASETS,
    EMBEDDINGS,
    ENCODERS,
    FUNCTIONS,
    FUSIONS,
    GENERATORS,
    HEADS,
    HOOKS,
    METRICS,
    MODELS,
    NOISE_PREDICTORS,
    NOISE_SCHEDULES,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    PROJECTORS,
    VISBACKENDS,
    VISUALIZERS,
    WEIGHT_INITIALIZERS,
    PartRegistry,
)
from avzoo.utils.errors import ConfigError, nearest

_LONGEST_NAME = 200  # Comparing a name with others takes a time that grows with its square.
# Patterns of whole paths, as in regular expressions.
_REGISTRIES = {
    r'model|(model\.)?data_preprocessor': MODELS,
    r'model\.encoders\.[^.]+': ENCODERS,
    r'model\.embedding': EMBEDDINGS,
    r'model\.fusion': FUSIONS,
    r'model(\.head)*\.projector': PROJECTORS,
    r'model(\.head)+': HEADS,
    r'model\.conditioner': CONDITIONERS,
    r'model\.generator': GENERATORS,
    r'model\.generator\.schedule': NOISE_SCHEDULES,
    r'model\.generator\.noise_predictor': NOISE_PREDICTORS,
    r'(.+\.)?init_cfg(\.\d+)?(\.override(\.\d+)?)?': WEIGHT_INITIALIZERS,
    r'(train|val|test)_dataloader\.dataset': DATASETS,
    r'(train|val|test)_dataloader\.(batch_)?sampler': DATA_SAMPLERS,
    r'(train|val|test)_dataloader\.worker_init_fn': FUNCTIONS,
    r'val_evaluator': METRICS,
    r'optim_wrapper': OPTIM_WRAPPERS,
    r'optim_wrapper\.optimizer': OPTIMIZERS,
    r'param_scheduler(\.\d+)?': PARAM_SCHEDULERS,
    r'default_hooks\.[^.]+|custom_hooks\.\d+': HOOKS,
    r'visualizer': VISUALIZERS,
    r'visualizer\.vis_backends(\.\d+)?': VISBACKENDS,
}


@lru_cache(maxsize=4096)
def registry_at(path: str) -> PartRegistry | None:
    """Return the registry of the part at a path; ``None`` where a part that avzoo does not know builds its own."""
    return next((registry for pattern, registry in _REGISTRIES.items() if re.fullmatch(pattern, path)), None)


def find_classes(type_name: str, path: str) -> list[type]:
    """Return the parts that the type at a path of a config file may mean: one where the path has a registry.

    Raises:
        ConfigError: If there is none; names the path, the type and what is registered.
    """
    return _known([registry.get(type_name) for registry in _registries_at(path)], type_name, path)


def find_registered_class(type_name: str, path: str) -> type:
    """Return the part that a type means in a config that came with a file of weights; nothing is imported for it.

    Raises:
        ConfigError: If none is registered; names the path, the type and what is registered.
    """
    return _known([registry.find(type_name) for registry in _registries_at(path)], type_name, path)[0]


def refuse_unregistered(section: Any, path: str) -> None:
    """Refuse a section of a config that came with a file of weights, if building it could import code.

    Args:
        section: The section, with all below it.
        path: Its path, e.g. ``model``; empty for a whole config.

    Raises:
        ConfigError: For the first type that is not registered, or a ``_scope_``, which names a package to import.
    """
    try:
        _refuse_unregistered(section, path)
    except RecursionError:
        raise ConfigError(f'{path or "The config"} is nested too deeply to be a config.') from None


def _refuse_unregistered(section: Any, path: str) -> None:
    if isinstance(section, list | tuple):
        for i, item in enumerate(section):
            _refuse_unregistered(item, f'{path}.{i}')
    if not isinstance(section, Mapping):
        return
    if '_scope_' in section:
        raise ConfigError(f'{path}._scope_={section["_scope_"]!r} names a package, which a file of weights must not.')
    if 'type' in section:
        name = section['type']
        if not isinstance(name, str) or len(name) > _LONGEST_NAME:
            raise ConfigError(f'{path}.type={repr(name)[:100]} is not the name of a part.')
        find_registered_class(name, path)
    for key, value in section.items():
        _refuse_unregistered(value, f'{path}.{key}' if path else str(key))


def _registries_at(path: str) -> tuple[PartRegistry, ...]:
    registry = registry_at(path)
    return ALL_REGISTRIES if registry is None else (registry,)


def _known(found: list[type | None], type_name: str, path: str) -> list[type]:
    known = list(dict.fromkeys(cls for cls in found if cls is not None))
    if not known:
        registry = registry_at(path)
        if registry is not None:
            raise registry.unknown(type_name, path)
        names = sorted({name for one in ALL_REGISTRIES for name in one.names()})
        raise ConfigError(f'{path}.type={type_name!r} is not registered anywhere.{nearest(type_name, names)}')
    return known
