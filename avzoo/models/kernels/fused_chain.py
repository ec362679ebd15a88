"""Whether a chain of denoising steps can be one kernel of a GPU."""

import logging
from functools import cache, partial
from importlib.util import find_spec
from types import ModuleType

import torch
from mmengine.logging import print_log
from torch import Tensor

from avzoo.utils.errors import first_line

_MOST_NOISE = 1 << 27  # Numbers drawn before the kernel begins: half a GiB.


def chain_kernels(x: Tensor, of_x: Tensor, num_steps: int) -> ModuleType | None:
    """Return the kernels for a chain of x (B, D) with weights (h, D), or ``None`` where it runs step by step."""
    if not x.is_cuda or x.numel() * num_steps > _MOST_NOISE:
        return None
    kernels = _kernels_of(x.device)
    return kernels if kernels is not None and kernels.fits(x, of_x) else None


@cache
def _kernels_of(device: torch.device) -> ModuleType | None:
    """Return the kernels if they can be compiled here: that takes Triton, a C compiler and a folder for the results."""
    if find_spec('triton') is None:
        return None
    try:
        from avzoo.models.kernels import chain_kernels  # Triton takes a second to import.

        ones = partial(torch.ones, device=device)
        x, weights, hidden, steps = ones(2, 4), ones(8, 4), ones(3, 8), ones(3, 3)
        parts = weights, hidden[:2], hidden, weights.t(), x[0], 0.01
        _, inputs, kept = chain_kernels.forward(x, parts, steps, ones(3, 2, 4), True)
        chain_kernels.backward(x, weights, weights.t(), inputs, kept, 0.01, steps)
    except Exception as error:  # Whatever a compiler raises: the chain is computed without it.
        reason = first_line(error)
        print_log(f'Chains run step by step: their kernel cannot be compiled. {reason}', 'current', logging.WARNING)
        return None
    return chain_kernels
