"""How attention is divided between kinds of tokens, by layer and over time, recorded while a model runs as usual."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.evaluation.attention_layouts import LAYOUTS, NUMBERS, AttentionCall, Tokens
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.models.fusions.attention_patterns import SUMMARY
from avzoo.models.kernels.packing import Packing
from avzoo.models.layers.transformer_layer import Attention
from avzoo.utils.errors import ConfigError

KINDS = ('summary', 'audio', 'visual')  # Learned tokens (cls, bottlenecks, latents) and the steps of the modalities.
_VIDEOS_AT_ONCE = 32
_ARGUMENTS = inspect.signature(Attention.forward)


@dataclass
class AttentionShares:
    """Shares of attention, averaged over heads, over the queries of a kind in a video, and over videos.

    Attributes:
        shares: (L, 3, 3), by layer, kind of query (see ``KINDS``) and kind of key; a row sums to 1, and is NaN where
            the layer has no such query. The last layer computes only the tokens that are read.
        even: (L, 3, 3), the shares if attention were even over all tokens that a query may attend to.
        over_time: (L, 2, bins), the share of the summary tokens' attention in each part of a video's length, for
            audio and visual; NaN where a fusion has no summary tokens or no steps.
        num_videos: Number of videos examined.
    """

    shares: np.ndarray
    even: np.ndarray
    over_time: np.ndarray
    num_videos: int


def attention_shares(model: AVClassifier, dataset: GFSLDataset, *, bins: int = 10, most: int = 1000) -> AttentionShares:
    """Record where the attention of a model's fusion goes, for the videos of a data set.

    Args:
        model: A model with weights.
        dataset: The videos.
        bins: Number of equal parts of a video's length.
        most: Maximum number of videos to examine, evenly spaced.

    Raises:
        ConfigError: If its fusion has no attention between tokens.
    """
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(most, len(dataset))).astype(int))
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), recording(model.fusion, bins) as record:
            for indices in np.array_split(chosen, -(-len(chosen) // _VIDEOS_AT_ONCE)):
                batch = model.data_preprocessor(dataset.__getitems__(indices.tolist()))
                model.extract_feat(batch['inputs'])
    finally:
        model.train(training)
    return record.result(len(chosen))


def attends(fusion: Any) -> bool:
    """Return whether the attention of a fusion can be recorded."""
    return type(fusion) in LAYOUTS


@contextmanager
def recording(fusion: Any, bins: int = 10) -> Iterator['Record']:
    """Record the attention of a fusion while the context is open; its output stays the same."""
    if not attends(fusion):
        names = ', '.join(kind.__name__ for kind in LAYOUTS)
        raise ConfigError(
            f'{type(fusion).__name__} has no attention between kinds of tokens. Fusions with it: {names}.'
        )
    record = Record(fusion, bins)
    handles = [fusion.register_forward_pre_hook(record.begin)]
    for name, module in fusion.named_modules():
        if isinstance(module, Attention):
            handles.append(module.register_forward_pre_hook(record.of(name), with_kwargs=True))
    try:
        yield record
    finally:
        for handle in handles:
            handle.remove()


@dataclass
class Record:
    """Sums over the videos so far.

    Args:
        fusion: The fusion.
        bins: Number of equal parts of a video's length.
    """

    fusion: nn.Module
    bins: int
    _sums: dict[int, Tensor] = field(default_factory=dict)  # By layer: (3, 3 + 3 + 2 * bins)
    _counts: dict[int, Tensor] = field(default_factory=dict)  # By layer: (3,)

    def begin(self, module: nn.Module, arguments: tuple) -> None:
        """Note the tokens of a batch."""
        self.tokens = Tokens(self.fusion, *arguments)

    def of(self, name: str) -> Any:
        """Return the hook for the attention with this name."""

        def note(attention: nn.Module, arguments: tuple, keywords: dict) -> None:
            assert isinstance(attention, Attention)
            given = _ARGUMENTS.bind(attention, *arguments, **keywords).arguments
            given.pop('self')
            weights, even = _weights(attention, **given)
            call = LAYOUTS[type(self.fusion)](self.tokens, name, weights.shape[-2], weights.shape[-1])
            self.tokens.calls[name.partition('.')[0]] += 1
            self._add(call, weights, even)

        return note

    def _add(self, call: AttentionCall, weights: Tensor, even: Tensor) -> None:
        keys = nn.functional.one_hot(call.keys, 3).to(weights)  # (M, 3)
        times = self._times(call.keys).to(weights)  # (B, M, 2 * bins)
        found = torch.cat([weights @ keys, even @ keys, weights @ times], dim=-1)  # (B, N, ...)
        sums = found.new_zeros(3, found.shape[-1], dtype=torch.float64)
        counts = found.new_zeros(3, dtype=torch.float64)
        for kind in range(3):
            asked = call.valid & (call.queries == kind)  # (B, N)
            number = asked.sum(1, keepdim=True)  # (B, 1)
            sums[kind] = ((found * asked.unsqueeze(-1)).sum(1) / number.clamp(min=1)).double().sum(0)
            counts[kind] = (number > 0).sum()
        self._sums[call.layer] = self._sums.get(call.layer, 0) + sums.cpu()
        self._counts[call.layer] = self._counts.get(call.layer, 0) + counts.cpu()

    def _times(self, keys: Tensor) -> Tensor:
        """Return which part of each key's weight belongs to which modality and bin, (B, M, 2 * bins)."""
        masks = {NUMBERS[m]: mask for m, mask in self.tokens.masks.items()}
        first = next(iter(masks.values()))
        out = first.new_zeros((len(first), len(keys), 2, self.bins), dtype=torch.float32)
        for kind, mask in masks.items():
            if (keys == kind).sum() == mask.shape[1] > 0:
                out[:, keys == kind, kind - 1] = _overlap(mask, self.bins)
            elif (keys == kind).any():  # One token for all steps.
                out[:, keys == kind, kind - 1] = torch.nan
        return out.flatten(2)

    def result(self, num_videos: int) -> AttentionShares:
        """Return the means."""
        layers = sorted(self._sums)
        counts = torch.stack([self._counts[layer] for layer in layers]).unsqueeze(-1)
        found = (torch.stack([self._sums[layer] for layer in layers]) / counts).numpy()  # 0 / 0 is NaN.
        over_time = found[:, SUMMARY, 6:].reshape(len(layers), 2, self.bins)
        return AttentionShares(found[:, :, :3], found[:, :, 3:6], over_time, num_videos)


def _weights(
    attention: Attention,
    x: Tensor,
    context: Tensor | None = None,
    bias: Tensor | None = None,
    packing: Packing | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the weights (B, N, M) of an attention, averaged over heads, and even weights over the allowed pairs."""
    context = x if context is None else context
    q, k = (
        rearrange(
            packing.spread(t) if packing is not None and t.dim() == 2 else t,
            'b n (h d) -> b h n d',
            h=attention.num_heads,
        )
        for t in (attention.to_q(x), attention.to_k(context))
    )
    logits = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).float()
    bias = logits.new_zeros(()) if bias is None else bias.float()
    even = (torch.zeros_like(logits[:, :1]) + bias).softmax(-1)
    return (logits + bias).softmax(-1).mean(1), even[:, 0]


def _overlap(mask: Tensor, bins: int) -> Tensor:
    """Return the shares (B, T, bins) of each real step that lie in equal parts of a video; its steps come first."""
    length = mask.sum(1).clamp(min=1)[:, None, None].float()
    step = torch.arange(mask.shape[1], device=mask.device)[None, :, None]
    part = torch.arange(bins, device=mask.device)[None, None, :]
    begin = torch.maximum(step / length, part / bins)
    end = torch.minimum((step + 1) / length, (part + 1) / bins)
    return (end - begin).clamp(min=0) * length * mask.unsqueeze(-1)
