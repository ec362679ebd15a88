"""Pooling sequences into time bins of equal length."""

import torch
from torch import Tensor


def bin_means(x: Tensor, lengths: Tensor, num_bins: int) -> Tensor:
    """Average sequences over equal shares of their length, in order.

    A step that lies in two bins counts in each by the part of it that lies there, so a sequence may be shorter than the
    number of bins.

    Args:
        x: Sequences (B, T, D); steps from a sequence's length on are ignored.
        lengths: Steps of each sequence, (B,). One of length 0 gives zeros.
        num_bins: Number of bins n.

    Returns:
        Means (B, n, D); with one bin the mean over time (B, 1, D).
    """
    lengths = lengths.to(x.device).unsqueeze(1).to(x.dtype)  # (B, 1)
    width = (lengths / num_bins).unsqueeze(2)  # (B, 1, 1)
    begin = torch.arange(num_bins, device=x.device, dtype=x.dtype)[:, None] * width  # (B, n, 1)
    steps = torch.arange(x.shape[1], device=x.device, dtype=x.dtype)  # (T,)
    overlap = torch.minimum(begin + width, steps + 1) - torch.maximum(begin, steps)  # (B, n, T)
    return overlap.clamp(min=0) @ x / width.clamp(min=torch.finfo(x.dtype).tiny)
