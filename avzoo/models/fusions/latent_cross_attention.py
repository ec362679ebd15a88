"""Perceiver: a fixed number of latents reads the tokens repeatedly."""

import torch
from torch import Tensor, nn

from avzoo.models.layers.cross_attention_layer import CrossAttentionLayer
from avzoo.models.layers.transformer_layer import LayerSizes, TransformerLayer
from avzoo.registry import FUSIONS


@FUSIONS.register_module()
class LatentCrossAttention(nn.Module):
    """Fuse all tokens through latents, whose mean is read (Perceiver, Jaegle et al. 2021).

    Each layer is a cross-attention from the latents to all tokens and a self-attention among the latents.

    Args:
        dim: Token width d.
        depth: Number of layers L.
        num_latents: Number of latents.
        tie: Share the weights of all cross-attentions but the first, and of all self-attentions.
        num_heads: Number of heads H.
        head_dim: Width of one head.
        mlp_dim: Hidden width of the feed-forward networks.
        dropout: Dropout probability.
        latent_std: Standard deviation of the latents at initialisation, truncated at two of them.
    """

    def __init__(
        self,
        dim: int,
        *,
        depth: int = 8,
        num_latents: int = 64,
        tie: bool = True,
        num_heads: int = 8,
        head_dim: int = 64,
        mlp_dim: int = 128,
        dropout: float = 0.1,
        latent_std: float = 0.02,
    ) -> None:
        super().__init__()
        self.out_dim, self.num_readouts = dim, 1
        self.depth = depth
        self.latents = nn.Parameter(torch.empty(1, num_latents, dim))
        nn.init.trunc_normal_(self.latents, std=latent_std, a=-2 * latent_std, b=2 * latent_std)
        sizes: LayerSizes = dict(num_heads=num_heads, head_dim=head_dim, mlp_dim=mlp_dim, dropout=dropout)
        self.cross_layers = nn.ModuleList(
            CrossAttentionLayer(dim, **sizes) for _ in range(min(depth, 2) if tie else depth)
        )
        self.self_layers = nn.ModuleList(
            TransformerLayer(dim, shared_norm=False, **sizes) for _ in range(1 if tie else depth)
        )

    def forward(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """Fuse tokens {modality: (B, T, d)} with masks {modality: (B, T)} into (B, d)."""
        x = torch.cat(list(tokens.values()), dim=1)  # (B, N, d)
        valid = torch.cat([masks[m] for m in tokens], dim=1)  # (B, N)
        latents = self.latents.expand(len(x), -1, -1).to(x.dtype)
        for layer in range(self.depth):
            # With tied weights the last one of each list serves all later layers.
            latents = self.cross_layers[min(layer, len(self.cross_layers) - 1)](latents, x, valid)
            latents = self.self_layers[min(layer, len(self.self_layers) - 1)](latents)
        return latents.mean(1)
