"""Attention over the two modalities, with one averaged vector each."""

import torch
from torch import Tensor, nn

from avzoo.models.layers.masking import masked_mean
from avzoo.protocol import MODALITIES
from avzoo.registry import FUSIONS


@FUSIONS.register_module()
class GatedModalityFusion(nn.Module):
    """Weigh the modalities channel by channel (after Fayek and Kumar 2020, on features rather than class scores).

    A small network looks at the time averages of all modalities and gives each channel of each a logit; the softmax
    over the modalities weighs their sum. With one modality its average is returned.

    Args:
        dim: Width d of the encoded features.
        modalities: Names of the modalities.
        hidden_dim: Hidden width of the gating network; d by default.
        dropout: Dropout probability of the fused vector.
    """

    def __init__(
        self,
        dim: int,
        modalities: tuple[str, ...] = MODALITIES,
        *,
        hidden_dim: int | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.out_dim, self.num_readouts = dim, 1
        self.modalities = tuple(modalities)
        width, hidden_dim = len(self.modalities) * dim, hidden_dim or dim
        self.gate = nn.Sequential(nn.Linear(width, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """Fuse tokens {modality: (B, T, d)} with masks {modality: (B, T)} into (B, d)."""
        x = torch.stack([masked_mean(tokens[m], masks[m]) for m in self.modalities], dim=1)  # (B, M, d)
        weights = self.gate(x.flatten(1)).view_as(x).softmax(1)
        return self.dropout((weights * x).sum(1))
