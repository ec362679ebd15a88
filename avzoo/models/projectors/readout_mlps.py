"""Separate projectors for the readouts of a fusion."""

import torch
from torch import Tensor, nn

from avzoo.models.layers.mlp import MLP
from avzoo.registry import PROJECTORS


@PROJECTORS.register_module()
class ReadoutMLPs(nn.Module):
    """Project each readout by its own :class:`MLP` (A_proj and V_proj of AVCA).

    Args:
        in_dim: Width of a readout.
        num_readouts: Number R of readouts, at least two; ``None``, a varying number, is refused.
        hidden_dim: Width of the hidden layers.
        out_dim: Width of the output.
        dropout: Dropout probability after both layers.
        last_bn_momentum: Momentum of the second BatchNorm's running statistics; AVCA's code has 0.99.
    """

    def __init__(
        self,
        in_dim: int,
        *,
        num_readouts: int | None,
        hidden_dim: int = 512,
        out_dim: int = 64,
        dropout: float = 0.1,
        last_bn_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        if num_readouts is None or num_readouts < 2:
            raise ValueError(
                'it needs a fixed number of readouts, two or more, but the fusion gives '
                f"{num_readouts or 'a varying number'}; take type='MLP', which projects any number."
            )
        self.out_dim = out_dim
        self.mlps = nn.ModuleList(
            MLP(in_dim, hidden_dim=hidden_dim, out_dim=out_dim, dropout=dropout, last_bn_momentum=last_bn_momentum)
            for _ in range(num_readouts)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Project readouts (B, R, in_dim) to (B, R, out_dim)."""
        return torch.stack([mlp(part) for mlp, part in zip(self.mlps, x.unbind(1), strict=True)], dim=1)
