"""The layer with which latents read a sequence, as in Perceiver and HiP."""

from torch import Tensor, nn

from avzoo.models.layers.feed_forward import FeedForward
from avzoo.models.layers.masking import key_bias
from avzoo.models.layers.transformer_layer import Attention


class CrossAttentionLayer(nn.Module):
    """Let latents attend to a sequence, then pass a feed-forward network (Jaegle et al. 2021).

    Latents and sequence are normalised before; both sublayers have a residual from the latents.

    Args:
        dim: Width d of latents and sequence.
        num_heads: Attention heads; this and the rest as in :class:`TransformerLayer`.
        head_dim: Width of a head.
        mlp_dim: Hidden width of the feed-forward network.
        dropout: Dropout probability.
        act_layer: Activation of the feed-forward network.
    """

    def __init__(
        self,
        dim: int,
        *,
        num_heads: int = 8,
        head_dim: int = 64,
        mlp_dim: int = 128,
        dropout: float = 0.1,
        act_layer: type[nn.Module] = nn.GELU,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.context_norm = nn.LayerNorm(dim)
        self.mlp_norm = nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads=num_heads, head_dim=head_dim, dropout=dropout)
        self.mlp = FeedForward(dim, mlp_dim, act_layer=act_layer, dropout=dropout)

    def forward(self, latents: Tensor, context: Tensor, valid: Tensor | None = None) -> Tensor:
        """Update latents (B, N, d) from ``context`` (B, M, d), of which only ``valid`` (B, M) steps are read.

        Where a row of ``valid`` is false throughout, attention adds nothing to its latents.
        """
        bias = None if valid is None else key_bias(valid, context.dtype)
        read = self.attn(self.norm(latents), self.context_norm(context), bias)
        if valid is not None:
            read = read * valid.any(1)[:, None, None]
        latents = latents + read
        return latents + self.mlp(self.mlp_norm(latents))
