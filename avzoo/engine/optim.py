"""Mixed precision on any device."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import nn

from avzoo.registry import OPTIM_WRAPPERS


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
