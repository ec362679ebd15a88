"""One transformer over the tokens of both modalities, whose layers differ in who may attend to whom."""

import torch
from torch import Tensor, nn

from avzoo.models.fusions.attention_patterns import AUDIO, SUMMARY, VISUAL, Pattern, attention_bias, layer_patterns
from avzoo.models.kernels.packing import packing_of
from avzoo.models.layers.transformer_layer import LayerSizes, TransformerLayer
from avzoo.registry import FUSIONS

_KINDS = {'audio': AUDIO, 'visual': VISUAL}


@FUSIONS.register_module()
class MaskedTransformer(nn.Module):
    """Fuse audio and visual tokens by masked attention and read the summary token (AV-DIFF, sec. 4.1).

    The tokens are [summary, audio, visual]. The attention pattern alone makes it AV-DIFF's hybrid attention, each row
    of Table 3, TCAF's cross attention or Zorro's bottleneck.

    Args:
        dim: Token width d.
        depth: Number of layers L.
        pattern: ``full``, ``self``, ``cross``, ``hybrid``, ``alternate`` or ``bottleneck``.
        switch_after: Number of ``self`` layers Z before ``full`` ones, in ``hybrid``; 0 in the other patterns.
        num_heads: Number of heads H.
        head_dim: Width of one head.
        mlp_dim: Hidden width of the feed-forward network.
        dropout: Dropout probability.
        shared_norm: One LayerNorm per layer for both sublayers, as the released code has it.
        num_summary_tokens: 1 is the classification token; Zorro uses several fusion tokens, whose mean is read.
        summary_std: Standard deviation at initialisation of the summary tokens.
    """

    def __init__(
        self,
        dim: int,
        *,
        depth: int = 4,
        pattern: Pattern = 'hybrid',
        switch_after: int = 0,
        num_heads: int = 8,
        head_dim: int = 64,
        mlp_dim: int = 128,
        dropout: float = 0.1,
        shared_norm: bool = True,
        num_summary_tokens: int = 1,
        summary_std: float = 1.0,
    ) -> None:
        super().__init__()
        self.out_dim, self.num_readouts = dim, 1
        self.patterns = layer_patterns(pattern, depth, switch_after)
        self.summary = nn.Parameter(torch.randn(1, num_summary_tokens, dim) * summary_std)
        sizes: LayerSizes = dict(num_heads=num_heads, head_dim=head_dim, mlp_dim=mlp_dim, dropout=dropout)
        self.layers = nn.ModuleList(TransformerLayer(dim, shared_norm=shared_norm, **sizes) for _ in range(depth))

    def forward(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """Fuse tokens {modality: (B, T, d)} with masks {modality: (B, T)} into (B, d)."""
        x, biases = self.assemble(tokens, masks)
        packing = packing_of(self._valid({m: masks[m] for m in tokens}))
        x = x if packing is None else packing.pack(x)
        *layers, last = self.layers.children()
        for layer, pattern in zip(layers, self.patterns, strict=False):
            x = layer(x, biases[pattern], packing)
        assert isinstance(last, TransformerLayer)
        # Nothing reads the other tokens after the last layer.
        return last.first(x, self.summary.shape[1], biases[self.patterns[-1]], packing).mean(1)

    def attention_maps(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> list[Tensor]:
        """Return the attention weights (B, H, N, N) of each layer; tokens are [summary, audio, visual]."""
        x, biases = self.assemble(tokens, masks)
        maps = []
        for layer, pattern in zip(self.layers, self.patterns, strict=True):
            assert isinstance(layer, TransformerLayer)  # A ModuleList does not say what it holds.
            maps.append(layer.attn.weights(layer.norm(x), biases[pattern]))
            x = layer(x, biases[pattern])
        return maps

    def assemble(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the joint sequence (B, N, d) and one attention bias for each table in use."""
        first = next(iter(tokens.values()))
        summary = self.summary.expand(len(first), -1, -1).to(first.dtype)
        x = torch.cat([summary, *tokens.values()], dim=1)
        lengths = [(SUMMARY, summary.shape[1]), *((_KINDS[m], x_m.shape[1]) for m, x_m in tokens.items())]
        kinds = torch.cat([torch.full((length,), kind, device=first.device) for kind, length in lengths])  # (N,)
        valid = self._valid({m: masks[m] for m in tokens})
        return x, {p: attention_bias(p, kinds, valid, x.dtype) for p in dict.fromkeys(self.patterns)}

    def _valid(self, masks: dict[str, Tensor]) -> Tensor:
        """Return which tokens of the joint sequence are real, (B, N)."""
        first = next(iter(masks.values()))
        return torch.cat([first.new_ones(len(first), self.summary.shape[1]), *masks.values()], dim=1)
