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
    """Compute in bfloat16 on the current device; also works as a decorator."""
    with torch.autocast(get_device(), dtype=torch.bfloat16):
        yield


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Train in bfloat16, which needs no loss scaling, on a CPU as well as on a GPU.

    mmengine's ``AmpOptimWrapper`` refuses the CPU.

    Args:
        optimizer: The optimizer.
        accumulative_counts: Number of steps whose gradients are accumulated before an update.
        clip_grad: Arguments for gradient clipping, or ``None``.
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
    """Let Adam update its numbers in one pass per step, on a CPU and unless the user has chosen otherwise.

    By default PyTorch makes one pass per operation there; the numbers are the same up to rounding. The single pass
    needs contiguous memory, so other parameters keep PyTorch's default, and gradients are made contiguous.
    """
    if type(optimizer) not in _WITH_ONE_PASS:
        return
    free = [group for group in optimizer.param_groups if _may_take_one_pass(group)]
    for group in free:
        group['fused'] = True
    if free:
        optimizer.register_step_pre_hook(_put_gradients_in_order)


def load_optimizer_state(optim_wrapper: OptimWrapper, state: dict, *, keep: tuple[str, ...] = ()) -> None:
    """Load an optimizer's state, but not its implementation, which was chosen for another device or config.

    Args:
        optim_wrapper: The wrapper of the optimizer.
        state: Its ``state_dict``.
        keep: Other settings of the groups that remain unchanged, such as ``lr``.
    """
    groups, own = state['param_groups'], optim_wrapper.optimizer.param_groups
    if len(groups) == len(own):  # Otherwise PyTorch reports that they differ.
        kept = [{key: mine[key] for key in (*_WAYS, *keep) if key in mine} for mine in own]
        groups = [saved | mine for saved, mine in zip(groups, kept, strict=True)]
    optim_wrapper.load_state_dict(dict(state, param_groups=groups))


def _may_take_one_pass(group: dict[str, Any]) -> bool:
    chosen = any(group[way] is not None for way in _WAYS) or group['capturable'] or group['differentiable']
    return not chosen and all(may_replace(p) and p.is_contiguous() for p in group['params'])


def _put_gradients_in_order(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    for p in (p for group in optimizer.param_groups if group['fused'] for p in group['params']):
        if p.grad is not None and not p.grad.is_contiguous():
            p.grad = p.grad.contiguous()
