"""A noise predictor along a chain of steps: what does not change from step to step is computed once."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Predict = Callable[[Tensor, int], Tensor]  # x_t (B, D) and the place of its step in the chain: the prediction (B, D)


@runtime_checkable
class PredictsAlong(Protocol):
    """A noise predictor that can compute its share of steps and condition before the chain begins."""

    def along(self, steps: Tensor, condition: Tensor) -> Predict:
        """Return the prediction at each of ``steps`` (T,) under conditions (B, d_c)."""


def predict_along(predictor: nn.Module, steps: Tensor, condition: Tensor) -> Predict:
    """Return what a predictor gives at each of ``steps`` (T,) under conditions (B, d_c)."""
    if isinstance(predictor, PredictsAlong):
        return predictor.along(steps, condition)
    return lambda x_t, place: predictor(x_t, steps[place].expand(len(x_t)), condition)


def linear_along(layer: nn.Linear, steps: Tensor, condition: Tensor) -> Predict:
    """Return a linear layer over [x, step, condition] as a function of x (B, D) and the place of the step.

    Args:
        layer: The layer; x may have width 0, and is then not needed.
        steps: What it reads of each step, (T, w).
        condition: What it reads of the conditions, (B, w_c).
    """
    of_x, fixed, table = split_linear(layer, steps, condition)
    rows = table.unbind()  # All steps share one backward.
    if not of_x.shape[1]:
        return lambda x, place: fixed + rows[place]
    return lambda x, place: torch.addmm(fixed + rows[place], x, of_x.t())


def split_linear(layer: nn.Linear, steps: Tensor, condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return a layer's weights of x (h, D), what it gives for conditions (B, h), and for each step (T, h)."""
    beside = steps.shape[1], condition.shape[1]
    of_x, of_step, of_condition = layer.weight.split([layer.in_features - sum(beside), *beside], dim=1)
    return of_x, F.linear(condition, of_condition, layer.bias), F.linear(steps, of_step)
