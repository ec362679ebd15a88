"""Mixed precision on any device, and Adam in one pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import nn

from avzoo.models.kernels.cpu_kernels import may_replace
from avzoo.registry import OPTIM_WRAPPERS

_WITH_ONE_PASS = (torch.optim.Adam, torch.optim.AdamW)
_WAYS = ('fused', 'foreach')


@contextmanager
def autocast() -> Iterator[None]:
    """Compute in bfloat16 on the current device; serves as a decorator too."""
    with torch.autocast(get_device(), dtype=torch.bfloat16):
        yield


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Train in bfloat16, which needs no loss scaling, on a CPU as well as on a GPU.

    mmengine's ``AmpOptimWrapper`` refuses the CPU.

    Args:
        optimizer: The optimizer.
        accumulative_counts: Steps whose gradients are accumulated before an update.
        clip_grad: Arguments of gradient clipping, or ``None``.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, *, accumulative_counts: int = 1, clip_grad: dict | None = None
    ) -> None:
        super().__init__(optimizer, accumulative_counts=accumulative_counts, clip_grad=clip_grad)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass under autocast."""
        with super().optim_context(model), autocast():
            yield


def use_one_pass(optimizer: torch.optim.Optimizer) -> None:
    """Let Adam go over its numbers once at each step, on a CPU and where the user has not chosen otherwise.

    PyTorch takes a pass for each operation there unless it is told; the numbers are the same up to rounding. Its one
    pass reads memory in order, so parameters that lie otherwise keep PyTorch's way, and gradients are put in order.
    """
    if type(optimizer) not in _WITH_ONE_PASS:
        return
    for group in optimizer.param_groups:
        chosen = group['fused'] is not None or group['foreach'] is not None
        if not (chosen or group['capturable'] or group['differentiable']):
            group['fused'] = all(may_replace(p) and p.is_contiguous() for p in group['params']) or None
    if any(group['fused'] for group in optimizer.param_groups):
        optimizer.register_step_pre_hook(_put_gradients_in_order)


def load_optimizer_state(optim_wrapper: OptimWrapper, state: dict) -> None:
    """Load an optimizer's state, but not in which way it computes: that was chosen for another device or config."""
    groups, own = state['param_groups'], optim_wrapper.optimizer.param_groups
    if len(groups) == len(own):  # Otherwise PyTorch says that they differ.
        ways = [{way: mine[way] for way in _WAYS if way in mine} for mine in own]
        groups = [saved | way for saved, way in zip(groups, ways, strict=True)]
    optim_wrapper.load_state_dict(dict(state, param_groups=groups))


def _put_gradients_in_order(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    for group in optimizer.param_groups:
        for p in group['params']:
            if group['fused'] and p.grad is not None and not p.grad.is_contiguous():
                p.grad = p.grad.contiguous()
