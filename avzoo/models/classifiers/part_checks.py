"""Building parts that keep their contract: errors name what a new part lacks, before anything is computed."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from mmengine.registry import Registry
from torch import Tensor, nn

from avzoo.config.build import build_part
from avzoo.models import contracts
from avzoo.utils.errors import ConfigError

_SEE = 'See the contracts in docs/design.md.'


def build_checked(registry: Registry, contract: type, cfg: dict | nn.Module, path: str, **facts: Any) -> Any:
    """Build a part as :func:`build_part` does, and check that it has what its contract requires.

    Args:
        registry: Where the part's type is registered.
        contract: Its protocol of :mod:`avzoo.models.contracts`.
        cfg: The part's config, or the part itself.
        path: Path of the config, e.g. ``model.fusion``.
        **facts: As for :func:`build_part`.

    Raises:
        ConfigError: As :func:`build_part`, and if an attribute or a method is missing or has other arguments.
    """
    part = build_part(registry, cfg, path, **facts)
    if contract is contracts.Generator:  # There are three kinds.
        kinds = dict(update=contracts.SelfTrainedGenerator, fit=contracts.FittedGenerator)
        contract = next((kind for name, kind in kinds.items() if hasattr(part, name)), contract)
    _check(part, contract, path)
    return part


def build_optional(registry: Registry, contract: type, cfg: dict | nn.Module | None, path: str, **facts: Any) -> Any:
    """Build a part as :func:`build_checked` does, or return ``None`` for ``None``."""
    return None if cfg is None else build_checked(registry, contract, cfg, path, **facts)


def check_width(x: Tensor, part: Any, path: str, shape: tuple[int, ...]) -> Tensor:
    """Return what a part returned; ``shape`` is all but the last dimension, which is its ``out_dim``.

    Raises:
        ConfigError: If it is of another shape or kind. Dimensions between the first and the last may be more.
    """
    fits = isinstance(x, Tensor) and x.is_floating_point() and x.shape[: len(shape)] == shape
    if not fits or x.shape[-1] != part.out_dim or not len(shape) < x.ndim <= 3:
        given = f'{x.dtype} of shape {tuple(x.shape)}' if isinstance(x, Tensor) else f'a {type(x).__name__}'
        between = '' if len(shape) > 1 else f' or ({shape[0]}, R, {part.out_dim})'
        raise ConfigError(
            f'{path}: {type(part).__name__} returns {given}, but with out_dim={part.out_dim} it must return floats of '
            f'shape {(*shape, part.out_dim)}{between}. {_SEE}'
        )
    return x


def check_sample(sample: Any, features: Tensor, generator: Any) -> Tensor:
    """Return what a generator has sampled for each of features (N, D).

    Raises:
        ConfigError: If it is not of their shape.
    """
    if not isinstance(sample, Tensor) or sample.shape != features.shape:
        raise ConfigError(
            f'model.generator: the sample of {type(generator).__name__} has {_given(sample)}; features of shape '
            f'{tuple(features.shape)} are needed, one for each condition. {_SEE}'
        )
    return sample


def try_sample(model: Any) -> None:
    """Sample two features as training will, so that a generator that cannot is refused before anything is trained.

    A generator that is fitted first is left out, and one that fails here: it may need something from training first.

    Raises:
        ConfigError: As for :func:`check_sample`.
    """
    generator = getattr(model, 'generator', None)
    if generator is None or model.conditioner is None or isinstance(generator, contracts.FittedGenerator):
        return
    width = (model.fusion if model.projector is None else model.projector).out_dim
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            sample = generator.sample(torch.zeros(2, model.conditioner.out_dim))
        except Exception:
            return
    check_sample(sample, torch.empty(2, width), generator)


def check_losses(losses: Any, head: Any) -> dict[str, Tensor]:
    """Return the losses of a head.

    Raises:
        ConfigError: If they are anything but tensors by name, with ``loss_ce`` among them.
    """
    named = isinstance(losses, dict) and all(isinstance(value, Tensor) for value in losses.values())
    if not named or 'loss_ce' not in losses:
        given = {k: type(v).__name__ for k, v in losses.items()} if isinstance(losses, dict) else type(losses).__name__
        raise ConfigError(
            f'model.head: the loss of {type(head).__name__} returns {given}; tensors by name are needed, loss_ce among '
            f'them. {_SEE}'
        )
    return losses


def check_targets(targets: Any, head: Any, dim: int) -> tuple[Tensor, Tensor]:
    """Return what a head wants a generator to learn: features (N, dim) and their labels (N,).

    Raises:
        ConfigError: If it is anything else.
    """
    pair = isinstance(targets, tuple | list) and len(targets) == 2 and all(isinstance(t, Tensor) for t in targets)
    if not pair or targets[0].shape != (*targets[1].shape[:1], dim) or targets[1].ndim != 1:
        raise ConfigError(
            f'model.head: generator_targets of {type(head).__name__} returns {_given(targets)}; features of shape '
            f'(N, {dim}) and their labels of shape (N,) are needed. {_SEE}'
        )
    return targets[0], targets[1]


def check_scores(scores: Any, head: Any, shape: tuple[int, int]) -> None:
    """Refuse scores that are not of shape (B, C), a row for each video and a column for each class.

    Raises:
        ConfigError: Says what the head returns.
    """
    if not isinstance(scores, Tensor) or scores.shape != shape:
        raise ConfigError(
            f'model.head: scores of {type(head).__name__} returns {_given(scores)} for {shape[0]} videos and '
            f'{shape[1]} classes; shape {shape} is needed. {_SEE}'
        )


def _given(value: Any) -> str:
    """Describe what a part returned: the shapes of tensors, the type of anything else."""
    if isinstance(value, tuple):
        return f'({", ".join(_given(one) for one in value)})'
    return f'shape {tuple(value.shape)}' if isinstance(value, Tensor) else f'a {type(value).__name__}'


def _check(part: object, contract: type, path: str) -> None:
    """Refuse a part that lacks what a contract names."""
    if not isinstance(part, nn.Module):
        raise ConfigError(f'{path}: {type(part).__name__} is not an nn.Module, so it would not train. {_SEE}')
    methods = {name: value for name, value in vars(contract).items() if _is_method(name, value)}
    missing = [name for name in (*inspect.get_annotations(contract), *methods) if not _has(part, name)]
    if missing:
        wanted = ', '.join('forward' if name == '__call__' else name for name in missing)
        raise ConfigError(f'{path}: {type(part).__name__} has no {wanted}. {_SEE}')
    for name, method in methods.items():
        _check_arguments(part, 'forward' if name == '__call__' else name, method, path)


def _is_method(name: str, value: object) -> bool:
    return inspect.isfunction(value) and (name == '__call__' or not name.startswith('_'))


def _has(part: nn.Module, name: str) -> bool:
    if name == '__call__':
        return type(part).forward is not nn.Module.forward
    return hasattr(part, name)


def _check_arguments(part: nn.Module, name: str, wanted: Callable, path: str) -> None:
    """Refuse a method that cannot be called as that of the contract."""
    _, *parameters = inspect.signature(wanted).parameters.values()
    named = {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}
    positional = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    try:
        inspect.signature(getattr(part, name)).bind(*positional, **named)
    except TypeError as error:
        takes = ', '.join(p.name for p in parameters)
        raise ConfigError(f'{path}: {type(part).__name__}.{name} must accept ({takes}): {error}. {_SEE}') from None
