"""The pre-norm transformer layer of AV-DIFF."""

from typing import TypedDict

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from avzoo.models.kernels.cpu_kernels import may_replace
from avzoo.models.kernels.fast_linear import only_multiplies
from avzoo.models.kernels.packing import Packing
from avzoo.models.kernels.precision import outside_autocast
from avzoo.models.layers.feed_forward import FeedForward
from avzoo.models.layers.masking import hide_further_keys

_LEAST_KEYS = 256  # Below, more but smaller products take as long.


class LayerSizes(TypedDict, total=False):
    """What the layers of a stack have in common: arguments of :class:`TransformerLayer`."""

    num_heads: int
    head_dim: int
    mlp_dim: int
    dropout: float
    act_layer: type[nn.Module]


class Attention(nn.Module):
    """Multi-head attention whose heads may be wider or narrower than the tokens.

    Args:
        dim: Token width d.
        num_heads: Number of heads H.
        head_dim: Width of one head.
        dropout: Dropout probability after the output projection.
    """

    def __init__(self, dim: int, *, num_heads: int = 8, head_dim: int = 64, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        inner = num_heads * head_dim
        self.to_q = nn.Linear(dim, inner, bias=False)
        self.to_k = nn.Linear(dim, inner, bias=False)
        self.to_v = nn.Linear(dim, inner, bias=False)
        self.to_out = nn.Linear(inner, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, context: Tensor | None = None, bias: Tensor | None = None, packing: Packing | None = None
    ) -> Tensor:
        """Let x (B, N, d) attend to ``context`` (B, M, d), or to itself; ``bias`` is added to the logits.

        What has no batch dimension is packed by ``packing``, and x is returned as it came. A bias that hides all keys
        of a query must be finite there.
        """
        context = x if context is None else context
        own = may_replace(context)
        if own and x is not context and x.dim() == 3 and self._are_few(x, context):
            whole = context if packing is None or context.dim() == 3 else packing.spread(context)
            read = outside_autocast(self._read, self.to_q(x), whole, bias, dtype=self.to_k.weight.dtype)
            return self.dropout(self.to_out(read))
        keys = packing
        if packing is not None and context.dim() == 2 and own:
            keys = packing.of_keys
            bias = bias if bias is None else hide_further_keys(bias, keys.shape[1] - packing.shape[1])
        q = self._heads(self.to_q(x), packing)
        k, v = (self._heads(t, keys) for t in (self.to_k(context), self.to_v(context)))
        out = outside_autocast(_attend, q, k, v, bias, dtype=torch.float32) if own else _attend(q, k, v, bias)
        out = rearrange(out, 'b h n d -> b n (h d)')
        if packing is not None and x.dim() == 2:
            out = packing.pack(out)
        return self.dropout(self.to_out(out))

    def _are_few(self, x: Tensor, context: Tensor) -> bool:
        """Return whether queries x (B, S, d) are so few beside the rows of ``context`` that :meth:`_read` pays."""
        asking, queries, keys = x.shape[1], x.shape[:2].numel(), context.shape[:-1].numel()
        if keys < _LEAST_KEYS or type(self) is not Attention or not only_multiplies(self.to_k, self.to_v):
            return False
        head = self.to_k.out_features // self.num_heads
        # Products for each head and number of a token: at most half of those of the keys, or of the values.
        return 2 * (queries * head + asking * keys) <= keys * head

    def _read(self, q: Tensor, context: Tensor, bias: Tensor | None) -> Tensor:
        """Return what queries (B, S, H*c) read in tokens (B, M, d), (B, S, H*c), without their keys and values.

        The weights of keys multiply the queries, and those of values the weighted mean of the tokens: for a token t,
        its key W t and a query q, q . (W t) = (q W) . t.
        """
        to_k, to_v = (rearrange(layer.weight, '(h c) d -> h c d', h=self.num_heads) for layer in (self.to_k, self.to_v))
        asked = torch.einsum('bshc,hcd->bhsd', q.unflatten(-1, (self.num_heads, -1)), to_k)
        logits = torch.einsum('bhsd,bmd->bhsm', asked, context) / to_k.shape[1] ** 0.5
        weights = (logits if bias is None else logits + bias.to(logits.dtype)).softmax(-1)
        read = torch.einsum('bhsm,bmd->bhsd', weights, context)
        return torch.einsum('bhsd,hcd->bshc', read, to_v).flatten(2)

    def _heads(self, x: Tensor, packing: Packing | None) -> Tensor:
        """Return x (B, N, H*d), or packed (M, H*d), by heads, (B, H, N, d)."""
        x = x if packing is None or x.dim() == 3 else packing.spread(x)
        return rearrange(x, 'b n (h d) -> b h n d', h=self.num_heads)

    def weights(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return the attention weights (B, H, N, N) of x with itself, for inspection."""
        q, k = (rearrange(t, 'b n (h d) -> b h n d', h=self.num_heads) for t in (self.to_q(x), self.to_k(x)))
        logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        return (logits if bias is None else logits + bias).softmax(-1)


class TransformerLayer(nn.Module):
    """Attention and feed-forward with residuals, normalised before each (AV-DIFF, eq. 1).

    Args:
        dim: Token width d.
        num_heads: Number of heads H.
        head_dim: Width of one head.
        mlp_dim: Hidden width of the feed-forward network.
        dropout: Dropout probability in both.
        shared_norm: Use one LayerNorm for attention and feed-forward, as the released code does.
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
        shared_norm: bool = True,
        act_layer: type[nn.Module] = nn.GELU,
    ) -> None:
        super().__init__()
        self.attn = Attention(dim, num_heads=num_heads, head_dim=head_dim, dropout=dropout)
        self.norm = nn.LayerNorm(dim)
        self.mlp_norm = None if shared_norm else nn.LayerNorm(dim)
        self.mlp = FeedForward(dim, mlp_dim, act_layer=act_layer, dropout=dropout)

    def forward(self, x: Tensor, bias: Tensor | None = None, packing: Packing | None = None) -> Tensor:
        """Update tokens x (B, N, d); ``bias`` (B, 1, N, N) is added to the attention logits.

        With ``packing``, x holds its real tokens only, (M, d).
        """
        x = x + self.attn(self.norm(x), bias=bias, packing=packing)
        return self._feed_forward(x)

    def first(self, x: Tensor, count: int, bias: Tensor | None = None, packing: Packing | None = None) -> Tensor:
        """Return the first ``count`` of the tokens that ``forward`` would return, (B, count, d)."""
        normed = self.norm(x)
        x, asking = (t[:, :count] if packing is None else packing.first(t, count) for t in (x, normed))
        bias = bias if bias is None else bias[:, :, :count]
        return self._feed_forward(x + self.attn(asking, normed, bias, packing))

    def _feed_forward(self, x: Tensor) -> Tensor:
        return x + self.mlp((self.mlp_norm or self.norm)(x))


def _attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, attn_mask=None if bias is None else bias.to(q.dtype))
