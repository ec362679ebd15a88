"""A dropout layer that draws four numbers at once on a CPU."""

import torch
from torch import Tensor, nn

from avzoo.models.kernels.cpu_kernels import may_replace

_LEVELS = 1 << 16  # Of a random number of 16 bits.
_LEAST_NUMBERS = 1 << 12  # Below, the draws take no time worth saving.


class FastDropout(nn.Dropout):
    """PyTorch's dropout layer, with 16 random bits for each number in place of 64.

    The probability is rounded to a multiple of 2^-16, and what is kept is scaled by that, as exactly as the
    type of the numbers allows. Random numbers are
    those of PyTorch's generator, but other ones than its own layer draws.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return x (...) with a share ``p`` of its numbers set to zero, while training."""
        dropped = round(float(self.p) * _LEVELS)
        if not self.training or self.inplace or not 0 < dropped < _LEVELS:
            return super().forward(x)
        if not may_replace(x) or x.numel() < _LEAST_NUMBERS:
            return super().forward(x)
        return x * draw_mask(x.shape, dropped).to(x.dtype)


def draw_mask(shape: torch.Size, dropped: int) -> Tensor:
    """Return what numbers of a shape are multiplied by, of which ``dropped`` in 65,536 become zero."""
    numbers = shape.numel()
    # Not bounded above, so that all 64 bits are random.
    drawn = torch.empty(-(-numbers // 4), dtype=torch.int64).random_(torch.iinfo(torch.int64).min, None)
    bits = drawn.view(torch.int16)[:numbers].view(shape)
    kept = bits >= dropped - _LEVELS // 2
    return kept.to(torch.float32).mul_(_LEVELS / (_LEVELS - dropped))
