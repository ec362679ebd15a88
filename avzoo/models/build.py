"""Building the parts of a model, with what the data decides filled in."""

import inspect
from typing import Any

from mmengine.registry import Registry
from torch import nn

from avzoo.utils.errors import ConfigError


def build_part(registry: Registry, cfg: dict | nn.Module, path: str, **facts: Any) -> nn.Module:
    """Build one part from its config and from facts that the data or the neighbouring parts decide.

    A fact is handed over if the part's constructor takes an argument of that name. A config may state it as well;
    then both must agree.

    Args:
        registry: Where the part's type is registered.
        cfg: The part's config, or the part itself.
        path: Where the config stands, for error messages, e.g. ``model.fusion``.
        **facts: Argument name to value.

    Raises:
        ConfigError: If the type is unknown, an argument is unknown or missing, or contradicts a fact.
    """
    if isinstance(cfg, nn.Module):
        return cfg
    if 'type' not in cfg:
        raise ConfigError(f"{path} has no 'type'; name one of: {', '.join(registry.names())}.")
    cls = registry.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
    taken = inspect.signature(cls).parameters if cls is not None else {}
    full = dict(cfg)
    for name, value in facts.items():
        if name not in taken:
            continue
        if name in cfg and cfg[name] is not None and cfg[name] != value:
            raise ConfigError(f'{path}.{name}={cfg[name]!r}, but the data and the parts before it say {value!r}; '
                              f'drop {path}.{name} from the config or set it to {value!r}.')
        full[name] = value
    try:
        return registry.build(full)
    except (TypeError, ValueError) as error:
        raise ConfigError(f'{path}: {error}') from error
