"""What autocast does not make faster is computed in the precision of its weights."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def outside_autocast(function: Callable[..., Tensor], *tensors: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Call a function with its tensors; under autocast with these in a precision, and outside of it.

    On a CPU the backward pass of PyTorch's attention takes three times as long in bfloat16. A chain of a hundred small
    products gains nothing there or on a GPU, and its rounding adds up.

    Args:
        function: What computes.
        tensors: Its arguments.
        dtype: That of its weights.
    """
    kind = next(t.device.type for t in tensors if t is not None)
    if not _is_on(kind):
        return function(*tensors)
    with without_autocast(kind):
        return function(*(t if t is None else t.to(dtype) for t in tensors))


def without_autocast(kind: str) -> AbstractContextManager[object]:
    """Return a context in which a kind of device computes without autocast."""
    return torch.autocast(kind, enabled=False) if _is_on(kind) else nullcontext()


def _is_on(kind: str) -> bool:
    # PyTorch knows no autocast for the device `meta`.
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
