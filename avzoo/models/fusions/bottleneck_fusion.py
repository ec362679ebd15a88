"""MBT: one transformer per modality; they exchange information only through a few bottleneck tokens."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from avzoo.models.layers.masking import key_bias, masked_mean
from avzoo.models.layers.transformer_layer import LayerSizes, TransformerLayer
from avzoo.protocol import MODALITIES
from avzoo.registry import FUSIONS


@FUSIONS.register_module()
class BottleneckFusion(nn.Module):
    """Exchange information between modalities through bottleneck tokens (MBT, Nagrani et al. 2021).

    From ``fusion_layer`` on, each modality attends to itself and to the same bottleneck tokens; the next layer gets
    the mean of their outputs over the modalities. There is one readout per modality. The released code's closing
    LayerNorm is left out, so that a layer is the same as in the other methods.

    Args:
        dim: Token width d.
        modalities: Names of the modalities.
        depth: Number of layers L.
        fusion_layer: First layer, counted from 0, with the bottleneck; ``depth`` keeps the modalities apart.
        num_bottlenecks: Number of bottleneck tokens, at least one; with ``fusion_layer=depth`` no layer has any.
        readout: ``cls``: a learned token per modality; ``gap``: the mean over its real tokens.
        num_heads: Number of heads H.
        head_dim: Width of one head.
        mlp_dim: Hidden width of the feed-forward network.
        dropout: Dropout probability.
        shared_norm: One LayerNorm per layer for both sublayers, as AV-DIFF's released code has it.
        token_std: Standard deviation at initialisation of cls and bottleneck tokens.
    """

    def __init__(
        self,
        dim: int,
        modalities: tuple[str, ...] = MODALITIES,
        *,
        depth: int = 4,
        fusion_layer: int = 2,
        num_bottlenecks: int = 4,
        readout: Literal['cls', 'gap'] = 'cls',
        num_heads: int = 8,
        head_dim: int = 64,
        mlp_dim: int = 128,
        dropout: float = 0.1,
        shared_norm: bool = True,
        token_std: float = 0.02,
    ) -> None:
        super().__init__()
        if readout not in ('cls', 'gap'):
            raise ValueError(f"readout='{readout}'; choose 'cls' or 'gap'.")
        if not 0 <= fusion_layer <= depth:
            raise ValueError(f'fusion_layer={fusion_layer} must lie in 0..depth={depth}.')
        if num_bottlenecks < 1:
            raise ValueError(
                f'num_bottlenecks={num_bottlenecks} must be at least 1; fusion_layer={depth}, the depth, keeps the '
                'modalities apart.'
            )
        self.out_dim, self.num_readouts = dim, len(modalities)
        self.fusion_layer = fusion_layer
        sizes: LayerSizes = dict(num_heads=num_heads, head_dim=head_dim, mlp_dim=mlp_dim, dropout=dropout)
        self.layers = nn.ModuleDict(
            {
                m: nn.ModuleList(TransformerLayer(dim, shared_norm=shared_norm, **sizes) for _ in range(depth))
                for m in modalities
            }
        )
        self.cls: nn.ParameterDict | None = None
        if readout == 'cls':
            self.cls = nn.ParameterDict({m: torch.randn(1, 1, dim) * token_std for m in modalities})
        self.bottleneck: nn.Parameter | None = None
        if fusion_layer < depth:
            self.bottleneck = nn.Parameter(torch.randn(1, num_bottlenecks, dim) * token_std)

    def forward(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """Fuse tokens {modality: (B, T, d)} with masks {modality: (B, T)} into one readout per modality, (B, M, d)."""
        x, valid = dict(tokens), dict(masks)
        if self.cls is not None:
            for m in self.layers:
                x[m], valid[m] = _prepend(self.cls[m], x[m], valid[m])
        levels = list(zip(*(stack.children() for stack in self.layers.values()), strict=True))  # a layer per modality
        for depth, level in enumerate(levels[: self.fusion_layer], 1):
            for m, layer in zip(self.layers, level, strict=True):
                x[m] = self._update(layer, x[m], valid[m], 0, last=depth == len(levels))
        if self.bottleneck is not None:
            self._exchange(levels[self.fusion_layer :], x, valid, self.bottleneck)
        readouts = [x[m][:, 0] if self.cls is not None else masked_mean(x[m], valid[m]) for m in self.layers]
        return torch.stack(readouts, dim=1)

    def _exchange(
        self, levels: Sequence[Sequence[nn.Module]], x: dict[str, Tensor], valid: dict[str, Tensor], bottleneck: Tensor
    ) -> None:
        """Run the layers with the bottleneck; updates ``x``."""
        count = bottleneck.shape[1]
        for left, level in zip(range(len(levels) - 1, -1, -1), levels, strict=True):
            met = []
            for m, layer in zip(self.layers, level, strict=True):
                joint, mask = _prepend(bottleneck, x[m], valid[m])
                joint = self._update(layer, joint, mask, count, last=left == 0)
                met.append(joint[:, :count])
                x[m] = joint[:, count:]
            # All modalities read the same old bottleneck; their mean is the new one (Nagrani et al. 2021).
            bottleneck = torch.stack(met).mean(0)

    def _update(self, layer: nn.Module, x: Tensor, valid: Tensor, before: int, *, last: bool) -> Tensor:
        """Run a layer; after the last one, nothing behind cls is read, which has ``before`` tokens before it."""
        bias = key_bias(valid, x.dtype)
        assert isinstance(layer, TransformerLayer)  # A ModuleList does not say what it holds.
        return layer.first(x, before + 1, bias) if last and self.cls is not None else layer(x, bias)


def _prepend(extra: Tensor, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Put always valid tokens (1 or B, n, d) before x (B, T, d) with mask (B, T)."""
    extra = extra.expand(len(x), -1, -1).to(x.dtype)
    return torch.cat([extra, x], dim=1), torch.cat([valid.new_ones(extra.shape[:2]), valid], dim=1)
