"""Check the tensors of an AV-DIFF checkpoint before they are used."""

from typing import Any

import torch
from torch import Tensor

from avzoo.utils.errors import CheckpointError

_COUNTER = 'num_batches_tracked'


def check_names(state: Any, source: str) -> None:
    """Check that a state dict of unknown origin is a dict whose keys are names.

    Raises:
        CheckpointError: If it is not.
    """
    odd = [key for key in state if not isinstance(key, str)] if isinstance(state, dict) else [state]
    if odd:
        raise CheckpointError(
            f'{source} has {repr(odd[0])[:40]} where the name of a tensor belongs; it is not a checkpoint of AV-DIFF.'
        )


def check_tensors(state: dict[str, Any], source: str) -> None:
    """Check that a state dict holds plain dense float32 tensors of finite numbers, and BatchNorm's int64 counters.

    Raises:
        CheckpointError: For the first entry that is anything else.
    """
    for name, tensor in state.items():
        problem = _problem(tensor, torch.int64 if name.rpartition('.')[2] == _COUNTER else torch.float32)
        if problem:
            raise CheckpointError(f'{source}: {shown(name)} {problem}. Use the checkpoint as training wrote it.')


def shown(name: str) -> str:
    """Return a name of unknown origin so that it fits into a message of one line."""
    text = name.encode('unicode_escape').decode('ascii')
    return text if len(text) <= 80 else f'{text[:77]}...'


def _problem(tensor: Any, dtype: torch.dtype) -> str:
    if not isinstance(tensor, Tensor):
        return 'is not a tensor'
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != 'cpu':
        return 'is not a plain dense tensor'
    if tensor.dtype != dtype:
        return f'is {tensor.dtype}, but {dtype} was expected'
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return f'claims the shape {tuple(tensor.shape)}, for which it holds too few numbers'
    return '' if torch.isfinite(tensor).all() else 'holds numbers that are not finite'
