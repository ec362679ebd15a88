"""A linear layer that a CPU computes with oneDNN where that is faster."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from avzoo.models.kernels.cpu_kernels import may_replace, onednn_linear, onednn_pays

_LEAST_ROWS = 256  # Below, handing over to oneDNN costs what it gains.
_WIDE = 1024  # Inputs; from here on oneDNN is faster at the gradient of the weights, too.


def only_multiplies(*layers: nn.Module) -> bool:
    """Return whether layers do nothing but multiply by their weights, which can then be used without calling them."""
    return all(type(layer) in (nn.Linear, FastLinear) and not _does_more(layer) for layer in layers)


class FastLinear(nn.Linear):
    """PyTorch's linear layer; some processors compute large ones faster with oneDNN than PyTorch does with MKL."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x (..., in_features) to (..., out_features)."""
        fits = x.shape[-1:] == (self.in_features,) and x.dtype == self.weight.dtype  # Else PyTorch says what does not.
        fits = fits and not torch.is_autocast_enabled('cpu')  # Whose bfloat16 is quicker.
        if not fits or not may_replace(x) or x.numel() < max(1, _LEAST_ROWS * self.in_features) or not onednn_pays():
            return super().forward(x)
        return _Linear.apply(x, self.weight, self.bias)


def _does_more(layer: nn.Module) -> bool:
    hooks = (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks, layer._backward_pre_hooks)
    return any(hooks) or 'forward' in vars(layer) or [name for name, _ in layer.named_parameters()] != ['weight']


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return onednn_linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        rows, grads = x.flatten(0, -2), grad.flatten(0, -2)
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            _gradient_of_input(grad, weight) if of_x else None,
            _gradient_of_weight(rows, grads) if of_weight else None,
            grads.sum(0) if of_bias else None,
        )


def _gradient_of_input(grad: Tensor, weight: Tensor) -> Tensor:
    # Gradients of gradients are asked for where this one is recorded; oneDNN's kernel has none.
    return grad @ weight if torch.is_grad_enabled() else onednn_linear(grad, weight.t())


def _gradient_of_weight(x: Tensor, grad: Tensor) -> Tensor:
    if x.shape[1] >= _WIDE and not torch.is_grad_enabled():
        return onednn_linear(grad.t(), x.t())
    # Of (n, k) and its transpose, MKL is faster at the one with longer rows.
    return (x.t() @ grad).t() if grad.shape[1] > x.shape[1] else grad.t() @ x
