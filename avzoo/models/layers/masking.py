"""Arithmetic with masks, so that padding changes no result."""

import torch
import torch.nn.functional as F
from torch import Tensor


def logit_bias(allowed: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return what is added to attention logits: 0 where ``allowed``, a very large negative number elsewhere."""
    bias = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return bias.masked_fill_(~allowed, _hidden(dtype))


def key_bias(valid: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the bias (B, 1, 1, M) that hides keys which are not ``valid`` (B, M) from every query."""
    return logit_bias(valid, dtype)[:, None, None, :]


def hide_further_keys(bias: Tensor, count: int) -> Tensor:
    """Return a bias (..., M + count) that also hides ``count`` keys behind the M of a bias (..., M)."""
    return F.pad(bias, (0, count), value=_hidden(bias.dtype)) if count else bias


def _hidden(dtype: torch.dtype) -> float:
    # Half of the smallest number: a logit can be added to it without overflow in half precision.
    return torch.finfo(dtype).min / 2


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Return the mean (B, d) of x (B, T, d) over the steps where ``mask`` (B, T) is true; 0 where none is."""
    weight = mask.unsqueeze(-1).to(x.dtype)  # (B, T, 1)
    return (x * weight).sum(1) / weight.sum(1).clamp(min=1)
