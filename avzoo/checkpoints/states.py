"""What the weights of a checkpoint must be: dense, finite numbers with the dtypes and shapes of the model."""

import math
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from avzoo.utils.errors import CheckpointError

_KINDS = {
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
}


def is_extra_state(key: str) -> bool:
    """Return whether a state dict entry is not a weight but a part's private state, such as that of its optimizer."""
    return key.split('.')[-1] == '_extra_state'


def without_wrappers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights under the names that they had before the model was compiled or distributed over devices.

    ``torch.compile`` and the data-parallel wrappers of torch put ``_orig_mod.`` and ``module.`` before all names.

    Raises:
        CheckpointError: If two weights then have the same name.
    """
    if not all(isinstance(key, str) for key in state):
        return dict(state)  # These are not weight names; the reader reports it.
    names = {key: key for key in state}
    for wrapper in ('module.', '_orig_mod.', 'module.'):  # In either order.
        if all(name.startswith(wrapper) for name in names.values()):
            names = {key: name.removeprefix(wrapper) for key, name in names.items()}
    inner = {key: name.replace('_orig_mod.', '') for key, name in names.items()}  # Parts may be compiled one by one.
    if len(set(inner.values())) < len(inner):
        raise CheckpointError('Two weights differ only by _orig_mod. in their names. Save the state dict of the model.')
    return {inner[key]: value for key, value in state.items()}


def check_state(state: Any, source: str | os.PathLike[str]) -> None:
    """Refuse weights that no model can have.

    Raises:
        CheckpointError: If there is no state dict, or a weight is not a dense tensor with its own data, or holds NaN or
            infinity.
    """
    if not isinstance(state, dict) or not all(isinstance(k, str) and _is_weight(k, v) for k, v in state.items()):
        raise CheckpointError(f'{source} holds no state_dict of tensors; it is damaged. Copy it again or train again.')
    for name in ('gamma', 'scale'):
        value = state.get(name)
        if value is not None and not (value.numel() == 1 and value.is_floating_point()):
            raise CheckpointError(
                f'{source}: its calibration, the weight {name}, is not a single number. Use another checkpoint.'
            )
    for key, value in state.items():
        if not is_extra_state(key) and not _is_finite(value):
            raise CheckpointError(
                f'{source} holds NaN or infinity in {key}: it is damaged, or its training diverged. Use another.'
            )


def check_fit(model: nn.Module, state: Mapping[str, Any], source: str) -> None:
    """Refuse weights whose names, shapes or dtypes are not those of a model, which may be on the meta device.

    Raises:
        CheckpointError: Names the first few that differ in each way.
    """
    own = {k: v for k, v in model.state_dict().items() if not is_extra_state(k)}
    given = {k: v for k, v in state.items() if not is_extra_state(k)}
    both = sorted(own.keys() & given.keys())
    problems = {
        'missing': sorted(own.keys() - given.keys()),
        'not in the model': sorted(given.keys() - own.keys()),
        'with another shape': [
            f'{k} {tuple(given[k].shape)} where the model has {tuple(own[k].shape)}'
            for k in both
            if given[k].shape != own[k].shape
        ],
        'with another dtype': [
            f'{k} {_kind(given[k])} where the model has {_kind(own[k])}' for k in both if given[k].dtype != own[k].dtype
        ],
    }
    if any(problems.values()):
        words = [f'{len(names)} {title}: {_first(names)}' for title, names in problems.items() if names]
        raise CheckpointError(
            f'{source} does not fit the model of this config: {"; ".join(words)}. '
            'Use the config that the checkpoint was trained with.'
        )


def _is_finite(value: Tensor) -> bool:
    """Return whether a tensor is free of NaN and infinity, without making a copy of its size."""
    if not value.is_floating_point() or not value.numel():
        return True
    return all(math.isfinite(extreme) for extreme in value.aminmax())  # NaN is the extreme of any values.


def _first(names: list[str]) -> str:
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return ', '.join(name if len(name) < 200 else f'{name[:150]} ...' for name in names[:3]) + more


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix('torch.')


def _is_weight(key: str, value: Any) -> bool:
    """Return whether a state dict entry is a dense tensor with its data, or a part's private state."""
    if is_extra_state(key):
        return True
    dense = isinstance(value, Tensor) and value.layout is torch.strided and not value.is_nested
    if not dense or value.is_meta or value.dtype not in _KINDS:
        return False
    # An expanded tensor stores one number for many elements, all of which a copy would hold.
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()
