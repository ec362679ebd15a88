"""Collate feature sequences into padded batches, for training, evaluation, prediction and adaptation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict

import numpy as np
import torch
from torch import Tensor

from avzoo.datasets.window import Window
from avzoo.utils.counts import number_of


class PaddedSequences(TypedDict):
    """One modality of a batch: features (B, T, D), zero beyond each length; lengths (B,); first steps (B,)."""

    x: Tensor
    lengths: Tensor
    starts: Tensor


@dataclass(frozen=True)
class Take:
    """Which steps of each sequence enter a batch, and where the batch is completed.

    Attributes:
        starts: First step of each sequence, (B,) int64; None starts at 0.
        max_steps: Cut longer sequences to this many steps, one number for all or one for each.
        pad_to: Steps T of the batch; None pads to its longest sequence.
        device: Copy the rows there as they are stored, through pinned memory to a GPU, and convert and pad them there,
            all without waiting for it. None completes the batch where the rows are.
    """

    starts: np.ndarray | None = None
    max_steps: int | np.ndarray | None = None
    pad_to: int | None = None
    device: torch.device | None = None

    def steps(self, lengths: np.ndarray) -> np.ndarray:
        """Return how many steps are taken of sequences of the given ``lengths``, both (B,) int64."""
        steps = lengths
        if self.starts is not None:
            if ((self.starts < 0) | (self.starts >= lengths)).any():
                raise ValueError('starts must lie in [0, length) of each sequence')
            steps = lengths - self.starts
        if self.max_steps is not None:
            if np.less(self.max_steps, 1).any():
                raise ValueError(f'max_steps must be at least 1, not {self.max_steps}')
            steps = np.minimum(steps, self.max_steps)
        return steps


WHOLE = Take()


class SequenceSource(Protocol):
    """What batches are gathered from: a feature store, two joined stores, or arrays in memory."""

    lengths: dict[str, np.ndarray]

    def gather(self, modality: str, videos: np.ndarray, take: Take = WHOLE) -> tuple[Tensor, Tensor]:
        """Return features (B, T, D) and lengths (B,); see :meth:`FeatureStore.gather`."""
        ...


def collate(
    source: SequenceSource,
    videos: np.ndarray,
    seconds: Mapping[str, float],
    *,
    window: Window | None = None,
    seed: int | Sequence[int] = 0,
    device: torch.device | None = None,
) -> dict[str, PaddedSequences]:
    """Gather a batch, cut to a window and padded to it; without a window, padded to the longest sequence.

    Args:
        source: Where the sequences are.
        videos: Positions in the source, (B,) int64.
        seconds: {modality: seconds per step} of the modalities to gather.
        window: Which steps to take; None takes all.
        seed: Decides the positions of a random window.
        device: Where to complete the batch, see :class:`Take`.
    """
    if window is None:
        return {m: _padded(source, m, videos, Take(device=device)) for m in seconds}
    cuts = window.cut({m: source.lengths[m][videos] for m in seconds}, seconds, seed)
    return {
        m: _padded(source, m, videos, Take(starts, steps, steps if isinstance(steps, int) else None, device))
        for m, (starts, steps) in cuts.items()
    }


def collate_arrays(
    arrays: Mapping[str, Sequence[np.ndarray]], seconds: Mapping[str, float], *, window: Window | None = None
) -> dict[str, PaddedSequences]:
    """Collate sequences in memory, {modality: B arrays (T, D)}; see :func:`collate`."""
    size = len(next(iter(arrays.values())))
    return collate(_Arrays(arrays), np.arange(size), {m: seconds[m] for m in arrays}, window=window)


def gather_rows(
    rows: np.ndarray | Tensor,
    first: np.ndarray,
    lengths: np.ndarray,
    take: Take = WHOLE,
) -> tuple[Tensor, Tensor]:
    """Fetch a zero-padded batch of sequences in one indexed copy.

    Args:
        rows: Sequences one after the other, (total steps, D).
        first: First row of each sequence of the batch, (B,) int64.
        lengths: Steps of each, (B,) int64.
        take: Which steps of them.

    Returns:
        Features, (B, T, D) float32, zero beyond each length; and lengths, (B,) int64.
    """
    steps, device = take.steps(lengths), take.device
    first = first if take.starts is None else first + take.starts
    longest = int(steps.max(initial=0))
    total = longest if take.pad_to is None else int(take.pad_to)
    if total < longest:
        raise ValueError(
            f'pad_to={total} is less than the longest sequence of the batch ({number_of(longest, "step")}); pass '
            f'max_steps={total} to cut it'
        )
    if isinstance(rows, Tensor) and rows.device.type != 'cpu':
        return _gather_on_device(rows, first, steps, total)
    time = np.arange(total)
    # A padded step repeats the last real row, which is warm in cache, and is zeroed afterwards: one pass
    # over the output instead of a gather, a zero fill and a scatter.
    places = first[:, None] + np.minimum(time, steps[:, None] - 1)  # (B, T)
    if device is not None:
        taken = _take(rows, places.reshape(-1), pinned=device.type == 'cuda')
        sent = torch.from_numpy(steps).to(device, non_blocking=True)  # First: it may wait for what is under way.
        return _completed(taken.to(device, non_blocking=True), sent, total), sent
    features = _take(rows, places.reshape(-1)).float()  # (B*T, D); the same tensor where it is float32 already
    features.numpy()[np.flatnonzero(time >= steps[:, None])] = 0  # not index_fill_: see _take
    return features.view(len(first), total, features.shape[1]), torch.from_numpy(steps)


def _gather_on_device(rows: Tensor, first: np.ndarray, steps: np.ndarray, total: int) -> tuple[Tensor, Tensor]:
    """Fetch a batch from features on a device; the host sends two numbers for each sequence and waits for nothing."""
    begin, lengths = torch.from_numpy(np.stack([first, steps])).to(rows.device, non_blocking=True)
    time = torch.arange(total, device=rows.device)
    places = begin.unsqueeze(1) + torch.minimum(time, lengths.unsqueeze(1) - 1)  # (B, T)
    return _completed(rows.index_select(0, places.flatten()), lengths, total), lengths


def _completed(taken: Tensor, lengths: Tensor, total: int) -> Tensor:
    """Return rows (B*T, D), which nothing else refers to, as sequences (B, T, D) float32, zero beyond each length."""
    padding = torch.arange(total, device=taken.device) >= lengths.unsqueeze(1)  # (B, T)
    return taken.float().unflatten(0, padding.shape).masked_fill_(padding.unsqueeze(-1), 0.0)


class _Arrays:
    """Sequences in memory as a source, packed as a feature store packs them.

    Args:
        arrays: {modality: N arrays (T, D)}.
    """

    def __init__(self, arrays: Mapping[str, Sequence[np.ndarray]]) -> None:
        self.lengths = {m: np.array([len(array) for array in parts], np.int64) for m, parts in arrays.items()}
        self._rows = {m: np.concatenate(parts) for m, parts in arrays.items()}

    def gather(self, modality: str, videos: np.ndarray, take: Take = WHOLE) -> tuple[Tensor, Tensor]:
        lengths = self.lengths[modality]
        first, lengths, rows = (np.cumsum(lengths) - lengths)[videos], lengths[videos], self._rows[modality]
        return gather_rows(rows, first, lengths, take)


def _padded(source: SequenceSource, modality: str, videos: np.ndarray, take: Take) -> PaddedSequences:
    x, lengths = source.gather(modality, videos, take)
    starts = np.zeros(len(videos), np.int64) if take.starts is None else take.starts
    return PaddedSequences(x=x, lengths=lengths, starts=torch.from_numpy(starts))


def _take(stored: np.ndarray | Tensor, rows: np.ndarray, *, pinned: bool = False) -> Tensor:
    """Copy rows of an array, (n, D) as stored; a fresh tensor that the caller may change."""
    if isinstance(stored, Tensor):
        return stored.index_select(0, torch.from_numpy(rows))
    # numpy, not torch's threaded operators: one thread fills the memory bus, and where the cores are busy the
    # others are waited for (1 ms against 8 to 12). The rows are in range: mode='clip' only spares numpy a
    # buffered second copy.
    shape = (len(rows), stored.shape[1])
    if not pinned:
        return torch.from_numpy(np.take(stored, rows, axis=0, out=np.empty(shape, stored.dtype), mode='clip'))
    # torch keeps pinned memory, and does not hand it out again before the copies from it are done.
    taken = torch.empty(shape, dtype=getattr(torch, stored.dtype.name), pin_memory=True)
    np.take(stored, rows, axis=0, out=taken.numpy(), mode='clip')
    return taken
