"""Which kinds of tokens each attention of a fusion works on."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from avzoo.models.fusions.attention_patterns import AUDIO, SUMMARY, VISUAL
from avzoo.models.fusions.bottleneck_fusion import BottleneckFusion
from avzoo.models.fusions.latent_cross_attention import LatentCrossAttention
from avzoo.models.fusions.masked_transformer import MaskedTransformer
from avzoo.models.fusions.pair_attention import PairAttention

NUMBERS = {'audio': AUDIO, 'visual': VISUAL}


@dataclass
class Tokens:
    """The tokens of a batch.

    Attributes:
        fusion: The fusion that attends.
        x: Steps of each modality, {modality: (B, T, d)}.
        masks: Which steps are real, {modality: (B, T)}.
        calls: How often each part of the fusion has attended.
    """

    fusion: nn.Module
    x: Mapping[str, Tensor]
    masks: Mapping[str, Tensor]
    calls: Counter[str] = field(default_factory=Counter)


class AttentionCall(NamedTuple):
    """The tokens of one attention.

    Attributes:
        layer: Its layer.
        queries: Kind of each query, (N,).
        keys: Kind of each key, (M,).
        valid: Which queries are real, (B, N).
    """

    layer: int
    queries: Tensor
    keys: Tensor
    valid: Tensor


def _of_masked_transformer(tokens: Tokens, name: str, num_queries: int, num_keys: int) -> AttentionCall:
    kinds, valid = _joint(tokens, num_keys)
    return AttentionCall(int(name.split('.')[1]), kinds[:num_queries], kinds, valid[:, :num_queries])


def _of_bottleneck(tokens: Tokens, name: str, num_queries: int, num_keys: int) -> AttentionCall:
    _, modality, layer, _ = name.split('.')
    kinds, valid = _joint(tokens, num_keys, modality)
    return AttentionCall(int(layer), kinds[:num_queries], kinds, valid[:, :num_queries])


def _of_pair(tokens: Tokens, name: str, num_queries: int, num_keys: int) -> AttentionCall:
    assert isinstance(tokens.fusion, PairAttention)
    first = next(iter(tokens.masks.values()))
    kinds = torch.tensor([NUMBERS[m] for m in tokens.fusion.modalities], device=first.device)
    valid = first.new_ones(len(first), num_keys)
    return AttentionCall(0, kinds, kinds, valid)


def _of_latents(tokens: Tokens, name: str, num_queries: int, num_keys: int) -> AttentionCall:
    """Each cross-attention is a layer; the self-attention among latents that follows it counts as another."""
    part = name.partition('.')[0]
    layer = 2 * tokens.calls[part] + (part == 'self_layers')
    first = next(iter(tokens.masks.values()))
    latents = torch.full((num_queries,), SUMMARY, device=first.device)
    own = first.new_ones(len(first), num_queries)
    keys = latents if part == 'self_layers' else _joint(tokens, num_keys)[0]
    return AttentionCall(layer, latents, keys, own)


def _joint(tokens: Tokens, num_keys: int, modality: str | None = None) -> tuple[Tensor, Tensor]:
    """Return the kinds of summary tokens and steps, (M,), and which are real, (B, M), for one modality or for all."""
    masks = {m: mask for m, mask in tokens.masks.items() if m in tokens.x and modality in (None, m)}
    first = next(iter(masks.values()))
    before = num_keys - sum(mask.shape[1] for mask in masks.values())
    runs = [(SUMMARY, before), *((NUMBERS[m], mask.shape[1]) for m, mask in masks.items())]
    kinds = torch.cat([torch.full((count,), kind, device=first.device) for kind, count in runs])
    return kinds, torch.cat([first.new_ones(len(first), before), *masks.values()], dim=1)


LAYOUTS: Mapping[type, Callable[[Tokens, str, int, int], AttentionCall]] = {
    MaskedTransformer: _of_masked_transformer,
    BottleneckFusion: _of_bottleneck,
    PairAttention: _of_pair,
    LatentCrossAttention: _of_latents,
}
