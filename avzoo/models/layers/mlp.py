"""The two-layer network that AV-DIFF uses both to encode features and to project the fused token."""

import torch
from torch import Tensor, nn

from avzoo.models.kernels.packing import Packing, packing_of
from avzoo.registry import ENCODERS, PROJECTORS


@ENCODERS.register_module()
@PROJECTORS.register_module()
class MLP(nn.Module):
    """Map features step by step: twice linear, BatchNorm, ReLU, dropout (AV-DIFF, sec. 4.1; released ``EmbeddingNet``).

    The last layer ends in a ReLU, so every output is non-negative.

    Args:
        in_dim: Width of the input.
        hidden_dim: Width of the hidden layer.
        out_dim: Width of the output.
        dropout: Dropout probability after both layers.
        last_bn_momentum: Momentum of the second BatchNorm's running statistics; AVCA's code has 0.99.
        padding_in_stats: Let padded steps enter the BatchNorm statistics in training, as the released code does.
            With ``False`` only real steps are computed and padded steps stay zero.
    """

    def __init__(
        self,
        in_dim: int,
        *,
        hidden_dim: int = 512,
        out_dim: int = 300,
        dropout: float = 0.1,
        last_bn_momentum: float = 0.1,
        padding_in_stats: bool = True,
    ) -> None:
        super().__init__()
        self.out_dim = out_dim
        self.padding_in_stats = padding_in_stats
        self.net = nn.Sequential(
            *dense_layers(in_dim, hidden_dim, dropout=dropout),
            *dense_layers(hidden_dim, out_dim, dropout=dropout, bn_momentum=last_bn_momentum),
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Encode (..., in_dim) to (..., out_dim); ``mask`` (...) is true at real steps."""
        if self.padding_in_stats and mask is not None:
            packing = packing_of(mask)
            if packing is not None and not x[~mask].any():
                return self._with_zeros(packing.pack(x), packing).unflatten(0, packing.shape)
        if self.padding_in_stats or mask is None:
            return self.net(x.flatten(0, -2)).unflatten(0, x.shape[:-1])  # (B*T, D) -> (B, T, D)
        real = self.net(x[mask])
        return torch.zeros(*mask.shape, self.out_dim, dtype=real.dtype, device=x.device).masked_scatter(
            mask.unsqueeze(-1), real
        )

    def _with_zeros(self, real: Tensor, packing: Packing) -> Tensor:
        """Return what the network gives for real steps (M, D) among padding that is zero, (B*T, out_dim)."""
        if not self.training:  # All padding becomes the same.
            steps = self.net(torch.cat([real, real.new_zeros(1, real.shape[1])]))
            places = torch.full_like(packing.slots, len(real)).index_copy_(
                0, packing.rows, torch.arange(len(real), device=real.device)
            )
            return steps.index_select(0, places)
        first, rest = self.net[0], self.net[1:]
        assert isinstance(first, nn.Linear)
        hidden = first.bias.expand(len(packing.slots), -1)
        return rest(hidden.index_copy(0, packing.rows, first(real)))


def dense_layers(in_dim: int, out_dim: int, *, dropout: float, bn_momentum: float = 0.1) -> list[nn.Module]:
    """Return linear, BatchNorm, ReLU and dropout: the unit of the small networks of AV-DIFF, TCAF and AVCA.

    Args:
        in_dim: Width of the input.
        out_dim: Width of the output.
        dropout: Dropout probability.
        bn_momentum: Momentum of the running statistics of BatchNorm.
    """
    return [nn.Linear(in_dim, out_dim), nn.BatchNorm1d(out_dim, momentum=bn_momentum), nn.ReLU(), nn.Dropout(dropout)]
