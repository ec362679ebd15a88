"""HiP: latents read chunks of the sequence, and fewer groups of latents read those."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avzoo.models.layers.cross_attention_layer import CrossAttentionLayer
from avzoo.models.layers.transformer_layer import LayerSizes, TransformerLayer
from avzoo.protocol import MODALITIES
from avzoo.registry import FUSIONS


class _SquaredReLU(nn.Module):
    """Square what a ReLU leaves (So et al. 2021, Primer)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.relu().square()


_ACTIVATIONS = {'gelu': nn.GELU, 'squared_relu': _SquaredReLU}


@FUSIONS.register_module()
class HierarchicalLatents(nn.Module):
    """Fuse tokens through a hierarchy of latents, whose last mean is read (HiP, Carreira et al. 2022).

    The first level cuts each modality in time into equally many chunks of real steps. On each level every group has
    its own latents, which read the group by cross-attention and then attend to each other; weights are shared by
    the groups of a level. The next level joins neighbouring groups. With groups (4, 2, 1) and two modalities the
    second level has one group per modality and the third has everything. There is no decoder and no reconstruction.

    Args:
        dim: Token width d.
        modalities: Names of the modalities.
        groups: Number of groups on each level; each must divide the one before, the number of modalities the first.
        num_latents: Number of latents of each group on each level.
        num_layers: Number of self-attention layers on each level.
        num_heads: Number of heads H.
        head_dim: Width of one head.
        mlp_dim: Hidden width of the feed-forward networks.
        dropout: Dropout probability.
        activation: Activation of the feed-forward networks; the released code names ``squared_relu``.
        latent_std: Standard deviation of the latents at initialisation, truncated at two of them.
    """

    def __init__(
        self,
        dim: int,
        modalities: tuple[str, ...] = MODALITIES,
        *,
        groups: tuple[int, ...] = (4, 2, 1),
        num_latents: tuple[int, ...] = (16, 16, 32),
        num_layers: tuple[int, ...] = (1, 1, 2),
        num_heads: int = 8,
        head_dim: int = 64,
        mlp_dim: int = 128,
        dropout: float = 0.1,
        activation: Literal['gelu', 'squared_relu'] = 'gelu',
        latent_std: float = 0.02,
    ) -> None:
        super().__init__()
        _check_levels(groups, num_latents, num_layers, len(modalities))
        if activation not in _ACTIVATIONS:
            raise ValueError(f"activation='{activation}'; choose one of {', '.join(_ACTIVATIONS)}.")
        self.out_dim, self.num_readouts = dim, 1
        self.modalities = tuple(modalities)
        self.chunks = groups[0] // len(self.modalities)
        sizes: LayerSizes = dict(num_heads=num_heads, head_dim=head_dim, mlp_dim=mlp_dim, dropout=dropout)
        sizes['act_layer'] = _ACTIVATIONS[activation]
        self.latents = nn.ParameterList(torch.empty(g, n, dim) for g, n in zip(groups, num_latents, strict=True))
        for latents in self.latents:
            nn.init.trunc_normal_(latents, std=latent_std, a=-2 * latent_std, b=2 * latent_std)
        self.cross_layers = nn.ModuleList(CrossAttentionLayer(dim, **sizes) for _ in groups)
        self.self_layers = nn.ModuleList(
            nn.Sequential(*(TransformerLayer(dim, shared_norm=False, **sizes) for _ in range(n))) for n in num_layers
        )

    def forward(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """Fuse tokens {modality: (B, T, d)} with masks {modality: (B, T)} into (B, d); real steps come first."""
        x, real = self._chunk(tokens, masks)  # (B, G, n, d), (B, G, n)
        valid: Tensor | None = real.flatten(0, 1)  # (B*G, n); all latents are valid
        for latents, cross, layers in zip(self.latents, self.cross_layers, self.self_layers, strict=True):
            batch, groups = len(x), len(latents)
            x = x.reshape(batch * groups, -1, x.shape[-1])  # Neighbouring groups join: (B*G', n*G/G', d)
            z = latents.repeat(batch, 1, 1).to(x.dtype)  # (B*G', N, d)
            z = layers(cross(z, x, valid))
            x, valid = z.unflatten(0, (batch, groups)), None
        return x.flatten(1, 2).mean(1)

    def _chunk(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Cut the real steps of each modality into chunks: (B, G, n, d) and which steps are real, (B, G, n)."""
        cut = [_cut(tokens[m], masks[m].sum(1), self.chunks) for m in self.modalities]
        longest = max(x.shape[2] for x, _ in cut)
        return (
            torch.cat([F.pad(x, (0, 0, 0, longest - x.shape[2])) for x, _ in cut], dim=1),
            torch.cat([F.pad(valid, (0, longest - valid.shape[2])) for _, valid in cut], dim=1),
        )


def _cut(x: Tensor, lengths: Tensor, chunks: int) -> tuple[Tensor, Tensor]:
    """Cut the first ``lengths`` (B,) steps of x (B, T, d) into chunks that are equally long but for one step.

    Returns:
        The chunks (B, chunks, ceil(T / chunks), d), and which of their steps are real. Chunks of a sequence that is
        shorter than their number may be empty.
    """
    bounds = torch.arange(chunks + 1, device=x.device) * lengths.unsqueeze(1) // chunks  # (B, chunks + 1)
    steps = torch.arange(-(-x.shape[1] // chunks), device=x.device)
    index = bounds[:, :-1, None] + steps  # (B, chunks, n)
    valid = index < bounds[:, 1:, None]
    rows = torch.arange(len(x), device=x.device)[:, None, None]
    return x[rows, index.clamp(max=x.shape[1] - 1)], valid


def _check_levels(
    groups: tuple[int, ...], num_latents: tuple[int, ...], num_layers: tuple[int, ...], num_modalities: int
) -> None:
    if not len(groups) == len(num_latents) == len(num_layers):
        raise ValueError(
            f'groups={groups}, num_latents={num_latents} and num_layers={num_layers} must be equally long: one number '
            'per level.'
        )
    if groups[0] % num_modalities or any(a % b for a, b in zip(groups, groups[1:], strict=False)):
        raise ValueError(
            f'groups={groups}: each number must divide the one before, and {num_modalities}, the number '
            'of modalities, the first.'
        )
