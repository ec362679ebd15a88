"""Separate projectors for the readouts of a fusion."""

import torch
from torch import Tensor, nn

from avzoo.models.layers import MLP
from avzoo.registry import PROJECTORS


@PROJECTORS.register_module()
class ReadoutMLPs(nn.Module):
    """Project each readout by an :class:`MLP` of its own (A_proj and V_proj of AVCA).

    Args:
        in_dim: Width of a readout.
        num_readouts: Number of readouts R.
        hidden_dim: Width of the hidden layers.
        out_dim: Width of the output.
        dropout: Dropout probability after both layers.
        last_bn_momentum: Momentum of the second BatchNorm's running statistics; AVCA's code has 0.99.
    """

    def __init__(self, in_dim: int, *, num_readouts: int = 2, hidden_dim: int = 512, out_dim: int = 64,
                 dropout: float = 0.1, last_bn_momentum: float = 0.1) -> None:
        super().__init__()
        self.out_dim = out_dim
        self.mlps = nn.ModuleList(MLP(in_dim, hidden_dim=hidden_dim, out_dim=out_dim, dropout=dropout,
                                      last_bn_momentum=last_bn_momentum) for _ in range(num_readouts))

    def forward(self, x: Tensor) -> Tensor:
        """Project readouts (B, R, in_dim) to (B, R, out_dim)."""
        if x.dim() != 3 or x.shape[1] != len(self.mlps):
            raise ValueError(f'ReadoutMLPs has num_readouts={len(self.mlps)}, but the fusion gives '
                             f'{x.shape[1] if x.dim() == 3 else 1}; set model.projector.num_readouts to that, or take '
                             "type='MLP'.")
        return torch.stack([mlp(part) for mlp, part in zip(self.mlps, x.unbind(1), strict=True)], dim=1)
