"""Random videos and random batches of them, to measure how fast a model loads and processes them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from avzoo.datasets.collate import PaddedSequences
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.gfsl_dataset import device_of
from avzoo.engine.streaming_loader import StreamingLoader, whole_batch

Gather = Callable[[np.ndarray, torch.device | None], dict[str, PaddedSequences]]


def random_batches(gather: Gather, labels: Tensor, *, videos: int, steps: int, device: str | None) -> DataLoader:
    """Return a loader of random batches, each with different videos, for base steps.

    Args:
        gather: Returns the features of some videos; on a device, if one is given.
        labels: Labels of each batch; they set its size.
        videos: Number of videos in the store.
        steps: Number of batches.
        device: Where they are copied before the steps; with ``None`` they stay on the host.
    """
    draws = np.random.default_rng(0).integers(videos, size=(steps, len(labels))).tolist()
    kind = DataLoader if device is None else StreamingLoader
    return kind(_Batches(gather, labels, device), batch_sampler=draws, collate_fn=whole_batch)


def write_random_store(out: Path, videos: int, info: Mapping[str, Any], clip: tuple[float, float]) -> Path:
    """Write a store of random features, unless it exists.

    Args:
        out: Folder of the store.
        videos: Number of videos.
        info: Facts about the data, see :class:`AVClassifier`.
        clip: Shortest and longest video in seconds.
    """
    rng = np.random.default_rng(0)
    modalities = {
        m: dict(dim=dim, seconds_per_step=info['seconds_per_step'][m]) for m, dim in info['feature_dims'].items()
    }
    if not out.exists():
        with FeatureStoreWriter(out, name='random', modalities=modalities, classes=['any']) as writer:
            for video in range(videos):
                length = rng.uniform(*clip)
                steps = {m: max(1, round(length / entry['seconds_per_step'])) for m, entry in modalities.items()}
                x = {m: rng.random((steps[m], entry['dim']), np.float32) for m, entry in modalities.items()}
                writer.add(f'video{video}', 'any', x)
            writer.finish()
    return out


class _Batches(Dataset):
    """The part of a data set that :class:`StreamingLoader` needs."""

    computed = None

    def __init__(self, gather: Gather, labels: Tensor, device: str | None) -> None:
        self._gather, self.labels = gather, labels
        self.streams_to = None if device is None else device_of(device)

    def __getitems__(self, indices: list[int]) -> dict:
        index = np.array(indices)
        features = self._gather(index, self.streams_to)
        return dict(features=features, label=self.labels, index=torch.from_numpy(index), novel=False)
