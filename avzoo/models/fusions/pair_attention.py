"""AVCA: the averaged vectors of the modalities attend to each other."""

import torch
from torch import Tensor, nn

from avzoo.models.layers.masking import masked_mean
from avzoo.models.layers.transformer_layer import TransformerLayer
from avzoo.protocol import MODALITIES
from avzoo.registry import FUSIONS


@FUSIONS.register_module()
class PairAttention(nn.Module):
    """Let the averaged tokens of the modalities attend to each other, one readout each (AVCA, Mercea et al. 2022).

    A learned vector tells the tokens apart. It enters the transformer layer, but not the residual around it.

    Args:
        dim: Width d of the encoded features.
        modalities: Names of the modalities.
        num_heads: Number of heads H.
        head_dim: Width of one head.
        mlp_dim: Hidden width of the feed-forward network.
        dropout: Dropout probability in the layer.
    """

    def __init__(
        self,
        dim: int,
        modalities: tuple[str, ...] = MODALITIES,
        *,
        num_heads: int = 3,
        head_dim: int = 100,
        mlp_dim: int = 64,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.out_dim, self.num_readouts = dim, len(modalities)
        self.modalities = tuple(modalities)
        # The released code leaves this vector out of its optimizer; here it trains.
        self.position = nn.Parameter(torch.randn(len(self.modalities), dim))
        self.layer = TransformerLayer(
            dim, num_heads=num_heads, head_dim=head_dim, mlp_dim=mlp_dim, dropout=dropout, shared_norm=False
        )

    def forward(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """Fuse tokens {modality: (B, T, d)} with masks {modality: (B, T)} into one readout per modality, (B, M, d)."""
        x = torch.stack([masked_mean(tokens[m], masks[m]) for m in self.modalities], dim=1)  # (B, M, d)
        return x + self.layer(x + self.position)
