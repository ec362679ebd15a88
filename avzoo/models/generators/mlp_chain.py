"""The reverse chain of a small noise predictor as one differentiable operation.

Backward takes the gradients of the weights from all steps at once; step by step they cost as much as all else.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

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
        slope: Of the activations where they are negative.
    """

    of_x: Tensor
    fixed: Tensor
    table: Tensor
    out: Tensor
    out_bias: Tensor
    slope: float


def mlp_chain(x: Tensor, weights: MLPWeights, steps: Sequence[ReverseStep], draw: Draw) -> Tensor:
    """Return the end (B, D) of the chain that begins at noise x (B, D); ``draw`` gives the noise of a step."""
    return _MLPChain.apply(x, *weights, steps, draw)


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
        steps: Sequence[ReverseStep],
        draw: Draw,
    ) -> Tensor:
        ctx.inputs, ctx.hidden = [], []
        ctx.steps, ctx.slope = steps, slope
        ctx.save_for_backward(of_x, out)
        for step, of_step in zip(steps, table.unbind(), strict=True):
            a = F.leaky_relu(x, slope)
            h = F.leaky_relu(torch.addmm(fixed + of_step, a, of_x.t()), slope)
            eps = torch.addmm(out_bias, h, out.t())
            x = torch.add(step.kept * x, eps, alpha=step.predicted).add_(draw(), alpha=step.fresh)
            ctx.inputs.append(a)
            ctx.hidden.append(h)
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        of_x, out = ctx.saved_tensors
        slope, backward = ctx.slope, torch.ops.aten.leaky_relu_backward
        of_eps, of_hidden = [], []
        for step, a, h in zip(reversed(ctx.steps), reversed(ctx.inputs), reversed(ctx.hidden), strict=True):
            of_eps.append(step.predicted * grad)
            of_hidden.append(backward(of_eps[-1] @ out, h, slope, True))
            grad = torch.add(backward(of_hidden[-1] @ of_x, a, slope, True), grad, alpha=step.kept)
        eps, hidden = torch.cat(of_eps[::-1]), torch.stack(of_hidden[::-1])  # (T*B, D), (T, B, h)
        of_weights = hidden.flatten(0, 1).t() @ torch.cat(ctx.inputs)
        of_out = eps.t() @ torch.cat(ctx.hidden)
        return grad, of_weights, hidden.sum(0), hidden.sum(1), of_out, eps.sum(0), None, None, None
