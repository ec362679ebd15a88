"""Carry weights over to a model with different classes."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from avzoo.checkpoints.states import is_extra_state
from avzoo.utils.counts import number_of
from avzoo.utils.errors import CheckpointError


def carry_class_rows(
    state: Mapping[str, Tensor],
    model: nn.Module,
    wider: nn.Module,
    *,
    before: Sequence[str],
    now: Sequence[str],
    keep: Sequence[str],
    source: str,
) -> dict[str, Tensor]:
    """Return a state dict for ``model``: new rows from ``model``, rows of kept classes and the rest from ``state``.

    Comparing with a model that has one more class shows which axis of which tensor counts classes.

    Args:
        state: Weights of a model with the same config and the classes ``before``.
        model: The new model.
        wider: The same with one more class; only its shapes matter.
        before: Class of each column of ``state``.
        now: Class of each column of ``model``.
        keep: Classes whose rows are carried over.
        source: Where ``state`` comes from, for errors.
    """
    own = {key: value for key, value in model.state_dict().items() if not is_extra_state(key)}
    odd = sorted(own.keys() ^ {key for key in state if not is_extra_state(key)})
    if odd:
        raise CheckpointError(
            f'{source} does not fit the config: {number_of(len(odd), "weight name differs", "weight names differ")}, '
            f'the first is {odd[0]}. Use the config that it was trained with.'
        )
    more = wider.state_dict()
    old_rows, new_rows = (_positions(keep, classes) for classes in (before, now))
    carried = {}
    for key, fresh in own.items():
        old, axis = state[key], _class_axis(key, fresh, more[key], len(now))
        expected = tuple(len(before) if a == axis else size for a, size in enumerate(fresh.shape))
        if old.shape != expected or old.dtype != fresh.dtype:
            raise CheckpointError(
                f'{source} does not fit the config: {key} is {tuple(old.shape)} {old.dtype}, '
                f'expected {expected} {fresh.dtype}. Use the config that it was trained with.'
            )
        if axis is None:
            carried[key] = old.clone()
        else:
            carried[key] = fresh.clone().index_copy_(axis, new_rows, old.index_select(axis, old_rows))
    return carried


def _positions(names: Sequence[str], among: Sequence[str]) -> Tensor:
    places = {name: i for i, name in enumerate(among)}
    return torch.tensor([places[name] for name in names])


def _class_axis(key: str, tensor: Tensor, more: Tensor, count: int) -> int | None:
    """Return the axis that counts classes: the one that is longer with one more class; ``None`` without one."""
    axes = [a for a in range(tensor.dim()) if tensor.shape[a] != more.shape[a]]
    if len(axes) > 1 or any(tensor.shape[a] != count for a in axes):
        raise CheckpointError(
            f'{key} depends on the number of classes in a way that cannot be adapted. Use a model with another head.'
        )
    return axes[0] if axes else None
