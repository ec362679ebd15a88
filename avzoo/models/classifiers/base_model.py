"""What mmengine's runner, loops and wrappers need from a model."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


class BaseModel(nn.Module):
    """Take training and test steps as ``mmengine.model.BaseModel`` does.

    mmengine's own class imports its optimizers, and with them all that torch has for several machines: two seconds,
    where a clip is classified in milliseconds. A subclass has ``forward(..., mode)``, which returns losses
    {name: Tensor} for ``mode='loss'`` and a list of answers for ``mode='predict'``.

    Args:
        data_preprocessor: Makes the arguments of ``forward`` from a batch.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(self, data_preprocessor: nn.Module, init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__()
        self.data_preprocessor = data_preprocessor
        self.init_cfg = init_cfg
        self.is_init = False

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> 'BaseModel':
        """Tell a preprocessor derived from mmengine's where the model is; torch calls this for ``to`` and the like."""
        super()._apply(fn, recurse)
        prepare: Any = self.data_preprocessor
        if hasattr(prepare, '_device'):
            prepare._device = fn(torch.empty(0, device=prepare._device)).device
        return self

    def init_weights(self) -> None:
        """Initialise once as ``init_cfg`` says, then parts that initialise themselves; weights of a file come last."""
        if self.is_init:
            return
        given = [self.init_cfg] if isinstance(self.init_cfg, dict) else (self.init_cfg or [])
        of_files = [one for one in given if one['type'] == 'Pretrained']
        self._initialize([one for one in given if one['type'] != 'Pretrained'])
        parts: Iterable[Any] = self.children()
        for part in parts:
            if hasattr(part, 'init_weights') and not getattr(part, 'is_init', False):
                part.init_weights()
        self._initialize(of_files)
        self.is_init = True

    def _initialize(self, given: list[dict]) -> None:
        if given:
            from mmengine.model import initialize  # It takes two seconds, and few configs initialise.

            initialize(self, given)

    def train_step(self, data: dict, optim_wrapper: Any) -> dict[str, Tensor]:
        """Compute losses and update the weights; returns what the log shows."""
        with optim_wrapper.optim_context(self):
            losses = self(**self.data_preprocessor(data, True), mode='loss')
        total, shown = self.parse_losses(losses)
        optim_wrapper.update_params(total)
        return shown

    def val_step(self, data: dict) -> list:
        """Return the answers to a batch."""
        return self(**self.data_preprocessor(data, False), mode='predict')

    test_step = val_step  # Not a call of it: either may be replaced on a model, by its graph.

    def parse_losses(self, losses: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum of the losses, and each by name; what has no ``loss`` in its name is only shown."""
        shown = {name: value.mean() for name, value in losses.items()}
        total: Any = sum(value for name, value in shown.items() if 'loss' in name)
        return total, {'loss': total, **shown}
