"""The features that the plain references use: pooled over time, scaled within each modality and concatenated."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import torch

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.gfsl_dataset import stage_classes
from avzoo.models.layers.time_bins import bin_means
from avzoo.protocol import AUDIO
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError

Scaling = Literal['unit', 'z_score']

_CHUNK_BYTES = 16 << 20  # Of float32 steps held at once while they are pooled.


class Task(NamedTuple):
    """Training and evaluation features (N, D), their class columns (N,), and which columns (C,) are base."""

    train_features: np.ndarray
    train_labels: np.ndarray
    features: np.ndarray
    labels: np.ndarray
    base_mask: np.ndarray


@dataclass(frozen=True)
class StageVideos:
    """The videos of one training and one evaluation set of a stage, and their features on demand.

    Attributes:
        store: Where the features are.
        modalities: Which modalities are used.
        trained: Training videos as positions in the store, (N,).
        evaluated: Videos to score, (M,).
        train_labels: Class columns of the training videos, (N,).
        labels: Those of the videos to score, (M,).
        class_ids: The store's class of each column, (C,).
        base_mask: Which columns are base, (C,).
    """

    store: FeatureStore
    modalities: tuple[str, ...]
    trained: np.ndarray
    evaluated: np.ndarray
    train_labels: np.ndarray
    labels: np.ndarray
    class_ids: np.ndarray
    base_mask: np.ndarray
    _kept: dict[int, dict[str, list[np.ndarray]]] = field(default_factory=dict, init=False, repr=False)

    def task(self, *, num_bins: int = 1, scaling: Scaling = 'unit', audio_weight: float = 1.0) -> Task:
        """Return the features of both sets.

        Args:
            num_bins: Number of equal parts of a video over which its steps are averaged; the means are concatenated.
            scaling: ``unit``: every video has length 1 in each modality. ``z_score``: each dimension has mean 0 and
                deviation 1 on the training videos, over the root of the number of dimensions: length 1 on average.
            audio_weight: Factor for the audio modality.
        """
        parts = []
        for name, means in self._means(num_bins).items():
            pair = [unit(rows) for rows in means] if scaling == 'unit' else _standardised(*means)
            factor = np.float32(audio_weight if name == AUDIO else 1.0)
            parts.append([factor * rows for rows in pair])
        train_features, features = (np.concatenate(rows, axis=1) for rows in zip(*parts, strict=True))
        return Task(train_features, self.train_labels, features, self.labels, self.base_mask)

    def _means(self, num_bins: int) -> dict[str, list[np.ndarray]]:
        """Return the pooled training and evaluation videos by modality; the last result is cached."""
        if num_bins not in self._kept:
            self._kept.clear()  # First, so that two results are never in memory.
            sets = (self.trained, self.evaluated)
            self._kept[num_bins] = {m: [pooled(self.store, m, s, num_bins) for s in sets] for m in self.modalities}
        return self._kept[num_bins]


def load_videos(
    store: FeatureStore, num_shots: int, stage: int, splits: tuple[str, str, str, str], modalities: Sequence[str]
) -> StageVideos:
    """Read the split lists (training base and novel, evaluation base and novel) of a stage."""
    class_ids, base_mask = stage_classes(store, num_shots, stage)
    trained, evaluated = (
        np.concatenate([store.split(num_shots, name) for name in pair]) for pair in (splits[:2], splits[2:])
    )
    untrained = np.setdiff1d(class_ids, store.labels[trained])
    unlisted = np.setdiff1d(store.labels[np.concatenate([trained, evaluated])], class_ids)
    if len(untrained) or len(unlisted):
        label = store.class_names[np.concatenate([untrained, unlisted])[0]]
        raise DataError(
            f"store '{store.name}', {number_of(num_shots, 'shot')}: class '{label}' is in some but not all of the "
            f'splits {", ".join(splits)} and the class list of stage {stage}. Fix the split lists.'
        )
    return StageVideos(
        store,
        tuple(modalities),
        trained,
        evaluated,
        np.searchsorted(class_ids, store.labels[trained]),
        np.searchsorted(class_ids, store.labels[evaluated]),
        class_ids,
        base_mask,
    )


def pooled(store: FeatureStore, modality: str, videos: np.ndarray, num_bins: int) -> np.ndarray:
    """Return the means of the videos' time bins, concatenated, (len(videos), num_bins * D) float32."""
    if num_bins == 1:
        return store.temporal_mean(modality, videos)
    dim = store.modalities[modality].dim
    longest = int(store.lengths[modality][videos].max(initial=1))
    count = max(1, _CHUNK_BYTES // (4 * dim * longest))
    means = np.empty((len(videos), num_bins * dim), np.float32)
    for begin in range(0, len(videos), count):
        steps, lengths = store.gather(modality, videos[begin : begin + count])
        with torch.inference_mode():
            means[begin : begin + count] = bin_means(steps, lengths, num_bins).flatten(1).cpu().numpy()
    return means


def unit(rows: np.ndarray) -> np.ndarray:
    """Scale rows to length 1; rows of zeros stay as they are."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def _standardised(trained: np.ndarray, evaluated: np.ndarray) -> list[np.ndarray]:
    """Give each dimension mean 0 and variance 1 / D on the training rows; constant dimensions are only shifted."""
    centre, deviation = trained.mean(axis=0), trained.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1) * np.float32(np.sqrt(trained.shape[1]))
    return [(rows - centre) / scale for rows in (trained, evaluated)]
