"""Building a part from its section of a config, with what the data decides filled in."""

import inspect
from dataclasses import dataclass
from typing import Any

from mmengine.registry import Registry
from torch import nn

from avzoo.config.user_code import place_in_user_code
from avzoo.utils.errors import ConfigError, nearest

_LEAVE_OUT = (
    "to leave it out, name only the others: encoders={'_delete_': True, 'audio': {...}}, as "
    'configs/avdiff/avdiff-audio_*.py do.'
)


@dataclass(frozen=True)
class Undecided:
    """A fact that the data and the preceding parts leave open; a part that needs it is refused.

    Attributes:
        why: Why it is open.
        hint: How a config decides it.
    """

    why: str
    hint: str


def modality_facts(data_info: dict, encoders: dict) -> dict:
    """Return the facts of ``data_info``, restricted to the modalities that the model uses."""
    has = list(data_info['feature_dims'])
    if not encoders:
        raise ConfigError(f'model.encoders is empty; name one or more of the modalities of the data: {", ".join(has)}.')
    for m, cfg in encoders.items():
        if cfg is None:
            raise ConfigError(f'model.encoders.{m}=None, but every modality named there needs an encoder; {_LEAVE_OUT}')
    missing = [m for m in encoders if m not in has]
    if missing:
        raise ConfigError(
            f"model.encoders names the modality '{missing[0]}', but the data has: {', '.join(has)}."
            f'{nearest(missing[0], has)} To train without it, change the config: {_LEAVE_OUT}'
        )
    facts = dict(data_info, modalities=tuple(encoders))
    for key in ('feature_dims', 'seconds_per_step'):
        facts[key] = {m: data_info[key][m] for m in encoders}
    return facts


def common_width(dims: dict[str, int]) -> int | Undecided:
    """Return the one width of all encoders, if there is one."""
    widths = set(dims.values())
    if len(widths) == 1:
        return widths.pop()
    return Undecided(
        why=f'the encoders have the widths {", ".join(f"{m} {width}" for m, width in dims.items())}',
        hint='set model.encoders.*.out_dim alike',
    )


def build_part(registry: Registry, cfg: dict | nn.Module, path: str, **facts: Any) -> Any:
    """Build one part from its config and from facts that the data or the neighbouring parts decide.

    A fact is handed over if the part's constructor takes an argument of that name; a part that itself builds
    parts takes all of them as ``facts``. A config may state a fact as well; then both must agree.

    Args:
        registry: Where the part's type is registered.
        cfg: The part's config, or the part itself.
        path: Path of the config, for error messages, e.g. ``model.fusion``.
        **facts: Argument name to value, or :class:`Undecided`.

    Returns:
        The part. What it has to offer depends on the registry: see :mod:`avzoo.models.contracts`.

    Raises:
        ConfigError: If the type is unknown, an argument is unknown, missing or refused by the part, or contradicts a
            fact.
    """
    if isinstance(cfg, nn.Module):
        return cfg
    if not isinstance(cfg, dict) or 'type' not in cfg:
        raise ConfigError(f"{path}={cfg!r} has no 'type'; name one of: {', '.join(registry.names())}.")
    cls = registry.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
    handed = {}
    if cls is not None:  # The registry names an unknown type better.
        handed = _facts_for(cls, path, facts)
        _refuse_missing(cls, path, {*cfg, *handed}, facts)
    try:
        part = registry.build(dict(cfg, **handed))
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f'{path}: {error}{place_in_user_code(error)}') from error
    # After building: where the part itself refuses a fact, its message says more than this one.
    for name, value in handed.items():
        if cfg.get(name) is not None and cfg[name] != value:
            raise ConfigError(
                f'{path}.{name}={cfg[name]!r}, but the data and the preceding parts say {value!r}; '
                f'remove {path}.{name} from the config or set it to {value!r}.'
            )
    return part


def _facts_for(cls: type, path: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that the constructor of a part takes."""
    taken = inspect.signature(cls).parameters
    handed = {name: value for name, value in dict(facts, facts=facts).items() if name in taken}
    for name, value in list(handed.items()):
        if not isinstance(value, Undecided):
            continue
        if taken[name].default is inspect.Parameter.empty:
            raise ConfigError(f'{path}: {value.why}, but {cls.__name__} needs one {name} for all; {value.hint}.')
        del handed[name]
    return handed


def _refuse_missing(cls: type, path: str, given: set[str], facts: dict[str, Any]) -> None:
    """Refuse a part whose constructor needs arguments that nothing provides."""
    missing = [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        and name not in given
    ]
    if missing:
        known = f', or let the constructor take one of the facts: {", ".join(sorted(facts))}' if facts else ''
        raise ConfigError(f'{path}: {cls.__name__} needs {", ".join(missing)}. Set {path}.{missing[0]}{known}.')
