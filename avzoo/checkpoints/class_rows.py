"""Carry weights over to a model of other classes."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from avzoo.checkpoints.states import is_extra_state
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
    """Return a state dict for ``model``: rows of kept classes and all else from ``state``, new rows from ``model``.

    Which axis of which tensor counts classes is seen by comparing with a model of one class more.

    Args:
        state: Weights of a model of the same config for the classes ``before``.
        model: The new model.
        wider: The same with one class more; only its shapes matter.
        before: Classes by column of ``state``.
        now: Classes by column of ``model``.
        keep: Classes whose rows are carried over.
        source: Where ``state`` comes from, for errors.
    """
    own = {key: value for key, value in model.state_dict().items() if not is_extra_state(key)}
    odd = sorted(own.keys() ^ {key for key in state if not is_extra_state(key)})
    if odd:
        raise CheckpointError(
            f'{source} does not fit the config: {len(odd)} weights differ by name, the first is '
            f'{odd[0]}. Use the config that it was trained with.'
        )
    more = wider.state_dict()
    places = {name: i for i, name in enumerate(before)}
    columns = {name: i for i, name in enumerate(now)}
    old_rows = torch.tensor([places[name] for name in keep])
    new_rows = torch.tensor([columns[name] for name in keep])
    carried = {}
    for key, fresh in own.items():
        old, axes = state[key], [a for a in range(fresh.dim()) if fresh.shape[a] != more[key].shape[a]]
        expected = list(fresh.shape)
        if axes:
            expected[axes[0]] = len(before)
            if len(axes) > 1 or fresh.shape[axes[0]] != len(now):
                raise CheckpointError(
                    f'{key} counts classes in a way that cannot be carried over to others; adapt a '
                    'model with another head.'
                )
        if list(old.shape) != expected or old.dtype != fresh.dtype:
            raise CheckpointError(
                f'{source} does not fit the config: {key} is {tuple(old.shape)} {old.dtype} where '
                f'{tuple(expected)} {fresh.dtype} is needed. Use the config that it was trained with.'
            )
        if axes:
            carried[key] = fresh.clone().index_copy_(axes[0], new_rows, old.index_select(axes[0], old_rows).to(fresh))
        else:
            carried[key] = old.clone()
    return carried
