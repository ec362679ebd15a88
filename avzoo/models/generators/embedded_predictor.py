"""A wide denoising network with an embedding of the step."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from avzoo.models.generators.chain import Predict, linear_along
from avzoo.registry import NOISE_PREDICTORS


@NOISE_PREDICTORS.register_module()
class EmbeddedPredictor(nn.Module):
    """Predict the noise, x_0 or a velocity from x_t, the step t as sines and cosines, and the condition.

    Args:
        dim: Width of x_t.
        cond_dim: Width of the condition.
        hidden_dim: Width of the hidden layers.
        num_layers: Number of hidden layers.
        time_dim: Width of the embedding of t.
        conditioning: ``concat``: step and condition stand beside x_t; ``film``: they scale and shift each hidden layer
            (Perez et al. 2018).
        dropout: Dropout probability after each hidden layer.
    """

    def __init__(
        self,
        dim: int,
        cond_dim: int,
        *,
        hidden_dim: int = 512,
        num_layers: int = 2,
        time_dim: int = 64,
        conditioning: Literal['concat', 'film'] = 'concat',
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if conditioning not in ('concat', 'film'):
            raise ValueError(f"conditioning='{conditioning}'; choose 'concat' or 'film'.")
        self.time_dim = time_dim
        beside = time_dim + cond_dim
        widths = [dim if conditioning == 'film' else dim + beside, *[hidden_dim] * num_layers]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False))
        films = num_layers if conditioning == 'film' else 0
        self.films = nn.ModuleList(nn.Linear(beside, 2 * hidden_dim) for _ in range(films))
        self.activation, self.dropout = nn.SiLU(), nn.Dropout(dropout)
        self.out = nn.Linear(widths[-1], dim)

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Predict (B, D) from x_t (B, D) at steps t (B,) under a condition (B, d_c)."""
        beside = torch.cat([self._embed(t).to(x_t.dtype), condition], dim=1)
        x = x_t if self.films else torch.cat([x_t, beside], dim=1)
        for i, layer in enumerate(self.layers):
            x = self._activated(layer(x), self.films[i](beside) if self.films else None)
        return self.out(x)

    def along(self, steps: Tensor, condition: Tensor) -> Predict:
        """Return the prediction at each of ``steps`` (T,) under conditions (B, d_c); see :func:`predict_along`."""
        embedded = self._embed(steps).to(condition.dtype)  # (T, time_dim)
        layers = [*self.layers, self.out]
        films = [linear_along(film, embedded, condition) for film in self.films if isinstance(film, nn.Linear)]
        first = None if films else linear_along(layers[0], embedded, condition)

        def predict(x: Tensor, place: int) -> Tensor:
            for i, layer in enumerate(layers):
                x = first(x, place) if first is not None and i == 0 else layer(x)
                if i < len(self.layers):
                    x = self._activated(x, films[i](x, place) if films else None)
            return x

        return predict

    def _activated(self, x: Tensor, film: Tensor | None) -> Tensor:
        if film is not None:
            scale, shift = film.chunk(2, dim=1)
            x = x * (1 + scale) + shift
        return self.dropout(self.activation(x))

    def _embed(self, t: Tensor) -> Tensor:
        """Return sines and cosines (B, time_dim) of t (B,) at wavelengths from 2 pi to 2000 pi steps."""
        half = self.time_dim // 2
        rates = torch.exp(-math.log(1000.0) * torch.arange(half, device=t.device) / max(half - 1, 1))
        angles = t.unsqueeze(1).float() * rates
        return torch.cat([angles.sin(), angles.cos()], dim=1)
