"""Building the parts of a model, with what the data decides filled in."""

import inspect
from dataclasses import dataclass
from typing import Any

from mmengine.registry import Registry
from torch import nn

from avzoo.utils.errors import ConfigError


@dataclass(frozen=True)
class Undecided:
    """A fact that the data and the parts before leave open; a part that cannot do without it is refused.

    Attributes:
        why: Why it is open.
        cure: How a config decides it.
    """

    why: str
    cure: str


def build_part(registry: Registry, cfg: dict | nn.Module, path: str, **facts: Any) -> nn.Module:
    """Build one part from its config and from facts that the data or the neighbouring parts decide.

    A fact is handed over if the part's constructor takes an argument of that name; a part that builds parts of its own
    takes all of them as ``facts``. A config may state a fact as well; then both must agree.

    Args:
        registry: Where the part's type is registered.
        cfg: The part's config, or the part itself.
        path: Where the config stands, for error messages, e.g. ``model.fusion``.
        **facts: Argument name to value, or :class:`Undecided`.

    Raises:
        ConfigError: If the type is unknown, an argument is unknown, missing or refused by the part, or contradicts a
            fact.
    """
    if isinstance(cfg, nn.Module):
        return cfg
    if not isinstance(cfg, dict) or 'type' not in cfg:
        raise ConfigError(f"{path}={cfg!r} has no 'type'; name one of: {', '.join(registry.names())}.")
    handed = _facts_for(registry.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type'], path, facts)
    try:
        part = registry.build(dict(cfg, **handed))
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f'{path}: {error}') from error
    # Only now: where the part itself refuses a fact, it says more than this.
    for name, value in handed.items():
        if cfg.get(name) is not None and cfg[name] != value:
            raise ConfigError(
                f'{path}.{name}={cfg[name]!r}, but the data and the parts before it say {value!r}; '
                f'drop {path}.{name} from the config or set it to {value!r}.'
            )
    return part


def _facts_for(cls: type | None, path: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that the constructor of a part takes."""
    taken = inspect.signature(cls).parameters if cls is not None else {}
    handed = {name: value for name, value in dict(facts, facts=facts).items() if name in taken}
    for name, value in list(handed.items()):
        if not isinstance(value, Undecided):
            continue
        if taken[name].default is inspect.Parameter.empty:
            raise ConfigError(f'{path}: {value.why}, but {cls.__name__} needs one {name} for all; {value.cure}.')
        del handed[name]
    return handed
