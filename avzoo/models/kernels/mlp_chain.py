"""The reverse chain of a small noise predictor as one differentiable operation.

Backward takes the gradients of the weights from all steps at once; step by step they cost as much as all else.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from avzoo.models.kernels.fused_chain import chain_kernels
from avzoo.models.kernels.precision import without_autocast

Draw = Callable[[], Tensor]


class ReverseStep(NamedTuple):
    """A reverse step: x_{t-1} = kept * x_t + predicted * eps + fresh * noise."""

    kept: float
    predicted: float
    fresh: float


class MLPWeights(NamedTuple):
    """A noise predictor of one hidden layer, with the share of step and condition in it already computed.

    Attributes:
        of_x: Weights of x_t, (h, D).
        fixed: Share of the conditions and bias, (B, h).
        table: Share of each step, (T, h).
        out: Weights of the output, (D, h).
        out_bias: Its bias, (D,).
        slope: Slope of the activations where they are negative.
    """

    of_x: Tensor
    fixed: Tensor
    table: Tensor
    out: Tensor
    out_bias: Tensor
    slope: float


def mlp_chain(x: Tensor, weights: MLPWeights, steps: Sequence[ReverseStep], draw: Draw) -> Tensor:
    """Return the end (B, D) of the chain that begins at noise x (B, D); ``draw`` gives the noise of a step."""
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *weights[:-1]))
    return _MLPChain.apply(x, *weights, tuple(steps), draw, keep)


class _MLPChain(Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        of_x: Tensor,
        fixed: Tensor,
        table: Tensor,
        out: Tensor,
        out_bias: Tensor,
        slope: float,
        steps: tuple[ReverseStep, ...],
        draw: Draw,
        keep: bool,
    ) -> Tensor:
        ctx.steps, ctx.slope = steps, slope
        ctx.kernels = kernels = chain_kernels(x, of_x, len(steps))
        weights = MLPWeights(of_x, fixed, table, out, out_bias, slope)
        if kernels is not None:
            noise = torch.stack([draw() for _ in steps])
            end, inputs, hidden = kernels.forward(x, weights, _factors(steps, x.device), noise, keep)
        else:
            end, inputs, hidden = _forward(x, weights, steps, draw, keep)
        ctx.save_for_backward(of_x, out, inputs, hidden)
        return end

    @staticmethod
    @once_differentiable  # A second derivative would miss how the activations that are kept follow from the weights.
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        with without_autocast(grad.device.type):
            of_x, out, inputs, hidden = ctx.saved_tensors
            if ctx.kernels is not None:
                factors = _factors(ctx.steps, grad.device)
                grad, eps, of_hidden = ctx.kernels.backward(grad, of_x, out, inputs, hidden, ctx.slope, factors)
            else:
                grad, eps, of_hidden = _backward(grad, of_x, out, inputs, hidden, ctx.slope, ctx.steps)
            of_weights = of_hidden.flatten(0, 1).t() @ inputs.flatten(0, 1)
            of_out = eps.flatten(0, 1).t() @ hidden.flatten(0, 1)
            return grad, of_weights, of_hidden.sum(0), of_hidden.sum(1), of_out, eps.sum((0, 1)), None, None, None, None


@cache
def _factors(steps: tuple[ReverseStep, ...], device: torch.device) -> Tensor:
    """Return the factors of the steps on a device, (T, 3). Copied once: a CUDA graph cannot wait for a copy."""
    return torch.tensor(steps, dtype=torch.float32, device=device)


def _forward(
    x: Tensor, weights: MLPWeights, steps: Sequence[ReverseStep], draw: Draw, keep: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Walk the chain step by step; returns what the kernels return."""
    of_x, fixed, table, out, out_bias, slope = weights
    inputs, hidden = [], []
    for step, of_step in zip(steps, table.unbind(), strict=True):
        a = F.leaky_relu(x, slope)
        h = F.leaky_relu(torch.addmm(fixed + of_step, a, of_x.t()), slope)
        eps = torch.addmm(out_bias, h, out.t())
        x = torch.add(step.kept * x, eps, alpha=step.predicted).add_(draw(), alpha=step.fresh)
        if keep:
            inputs.append(a)
            hidden.append(h)
    return (x, torch.stack(inputs), torch.stack(hidden)) if keep else (x, x.new_empty(0), x.new_empty(0))


def _backward(
    grad: Tensor,
    of_x: Tensor,
    out: Tensor,
    inputs: Tensor,
    hidden: Tensor,
    slope: float,
    steps: Sequence[ReverseStep],
) -> tuple[Tensor, Tensor, Tensor]:
    """Walk the chain back step by step; returns what the kernels return."""
    of_eps, of_hidden, leaky = [], [], torch.ops.aten.leaky_relu_backward
    for step, a, h in zip(steps[::-1], inputs.unbind()[::-1], hidden.unbind()[::-1], strict=True):
        of_eps.append(step.predicted * grad)
        of_hidden.append(leaky(of_eps[-1] @ out, h, slope, True))
        grad = torch.add(leaky(of_hidden[-1] @ of_x, a, slope, True), grad, alpha=step.kept)
    return grad, torch.stack(of_eps[::-1]), torch.stack(of_hidden[::-1])
