"""The best denoiser of features that are normally distributed, in closed form."""

import torch
from torch import Tensor, nn


class GaussianDenoiser(nn.Module):
    """Estimate x_0 ~ N(mean, covariance) from x_t = a x_0 + s noise: its expectation given x_t.

    Args:
        dim: Width of the features; before ``fit`` they are taken as standard normal.
    """

    mean: Tensor
    variances: Tensor
    directions: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer('mean', torch.zeros(dim))
        self.register_buffer('variances', torch.ones(dim))
        self.register_buffer('directions', torch.eye(dim))

    def fit(self, x: Tensor) -> None:
        """Take mean and covariance from features (N, d)."""
        self.mean.copy_(x.mean(0))
        variances, directions = torch.linalg.eigh(x.double().t().cov())
        self.variances.copy_(variances.clamp(min=0))
        self.directions.copy_(directions)

    def forward(self, x_t: Tensor, a: Tensor, s: Tensor) -> Tensor:
        """Estimate x_0 (N, d) from x_t (N, d), with the shares a and s (N, 1) of signal and noise."""
        gain = a * self.variances / (a.square() * self.variances + s.square())  # (N, d)
        return self.mean + ((x_t - a * self.mean) @ self.directions * gain) @ self.directions.t()
