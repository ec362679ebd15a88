"""The activation that HiP's released code names."""

from torch import Tensor, nn


class SquaredReLU(nn.Module):
    """Square what a ReLU leaves (So et al. 2021, Primer)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return max(x, 0)^2, of any shape."""
        return x.relu().square()
