"""The real steps of padded sequences as rows without gaps, so that layers compute nothing for padding."""

from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from avzoo.models.kernels.cpu_kernels import is_followed

_LEAST_PADDING = 0.1  # Below this share, moving the rows costs more than the padding.
_VECTOR, _LEAST_OVER = 16, 10  # Keys that AVX-512 computes at once; as many over the last multiple pay to fill it up.


class Packing:
    """Where the real steps of sequences (B, N) lie, on a CPU.

    Args:
        valid: Which steps are real, (B, N); at least one.
    """

    def __init__(self, valid: Tensor) -> None:
        self.valid, self.shape, flat = valid, valid.shape, valid.flatten()
        self.rows = flat.nonzero().squeeze(1)  # (M,): their places in the flat sequences
        self.slots = (flat.cumsum(0) - 1).clamp(min=0)  # (B*N,): the packed row at each place; at padding any

    @cached_property
    def of_keys(self) -> 'Packing':
        """The same steps, followed by enough padding to make them faster keys for attention.

        PyTorch's kernel takes the keys beyond the last multiple of a vector one by one: 31 of them take 1.4 times as
        long as 32, forward and backward.
        """
        over = self.shape[1] % _VECTOR
        if over < _LEAST_OVER or torch.backends.cpu.get_cpu_capability() != 'AVX512':
            return self
        return Packing(F.pad(self.valid, (0, _VECTOR - over)))

    def pack(self, x: Tensor) -> Tensor:
        """Take the real steps (M, d) out of sequences (B, N, d)."""
        return _Pack.apply(x.flatten(0, 1), self.rows)

    def spread(self, x: Tensor) -> Tensor:
        """Put packed steps (M, d) back into sequences (B, N, d); padding repeats a step and must be masked."""
        return _Spread.apply(x, self.slots, self.rows).unflatten(0, self.shape)

    def first(self, x: Tensor, count: int) -> Tensor:
        """Take the first ``count`` steps of each sequence, which must be real, out of packed ones: (B, count, d)."""
        return _Pack.apply(x, self.slots.view(self.shape)[:, :count].flatten()).unflatten(0, (-1, count))


def packing_of(valid: Tensor) -> Packing | None:
    """Return the packing of sequences (B, N), or ``None`` where it does not pay: little padding, or not on a CPU.

    On other devices the number of real steps is known only after waiting for them, and launching kernels takes longer
    than computing padding. Tracers, compilers and transforms cannot follow a number of steps that the data decide.
    """
    if valid.device.type != 'cpu' or is_followed():
        return None
    real = int(valid.sum())
    return Packing(valid) if 0 < real <= (1 - _LEAST_PADDING) * valid.numel() else None


class _Pack(Function):
    """Select rows, each at most once; backward needs no sums then."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.size = len(x)
        return x.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return grad.new_zeros(ctx.size, grad.shape[1]).index_copy_(0, rows, grad), None


class _Spread(Function):
    """Repeat rows; the gradient of masked places is zero, so that of a row is found at its own place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slots: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        return x.index_select(0, slots)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (rows,) = ctx.saved_tensors
        return grad.index_select(0, rows), None, None
