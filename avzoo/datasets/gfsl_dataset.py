"""The data set of one phase: some splits of a feature store, with the classes of its stage."""

import hashlib
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from avzoo.datasets.collate import PaddedSequences, collate
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.joined_store import JoinedStore
from avzoo.datasets.window import Window
from avzoo.protocol import stage_of, train_splits
from avzoo.registry import DATASETS
from avzoo.utils.errors import ConfigError, DataError, first_line


@DATASETS.register_module()
class GFSLDataset(Dataset):
    """Serve whole batches of padded audio and visual features for generalised few-shot learning (AV-DIFF, sec. 3.2).

    Labels are classifier columns: the classes of the stage in the store's order. A class is *base* if it occurs in the
    stage's base training split.

    Args:
        data_root: Folder of the feature store.
        splits: Names of the splits to serve, e.g. ``('stage1_base', 'stage1_novel')``.
        num_shots: Which k-shot splits to take.
        modalities: Which modalities to gather; all of the store by default.
        window: Arguments of :class:`Window` to cut long videos; ``None`` pads to the longest of the batch.
        embedding: Name of the class vectors; the store's first by default.
        seed: Seed of random windows. They depend only on the seed and the batch's videos, so a resumed run and any
            number of loader workers see the same ones.
        device: Keep all features in the memory of this device, e.g. ``cuda``, and gather batches there; the data sets
            of a process share them. Requires ``num_workers=0``. ``None`` reads batches from disk.
        resident: ``False`` leaves the features on disk, for a store that is larger than the memory of ``device``: each
            batch is gathered as it is stored, and copied there through pinned memory. Training loaders make batches
            ahead, see :class:`StreamingLoader`.

    Attributes:
        computed: Returns what a model computed from the videos at some positions; batches hold it in place of features,
            see :class:`FusionCacheHook`.
    """

    computed: Callable[[np.ndarray], dict[str, Tensor]] | None = None

    def __init__(
        self,
        data_root: str | Path,
        *,
        splits: tuple[str, ...],
        num_shots: int,
        modalities: tuple[str, ...] | None = None,
        window: dict | None = None,
        embedding: str | None = None,
        seed: int = 0,
        device: str | None = None,
        resident: bool = True,
    ) -> None:
        self.store: FeatureStore | JoinedStore
        self.store = store = FeatureStore(data_root)
        self.splits = tuple(splits)
        self.modalities = tuple(store.known_modalities(modalities or None))
        self.window = Window(**window) if window else None
        self.seed = seed
        self.device, self.resident = device, resident
        self._embedding = embedding
        parts = {name: store.split(num_shots, name) for name in self.splits}
        stage = stage_of(self.splits[0])
        self.class_ids, self.base_mask = stage_classes(store, num_shots, stage)
        for name, part in parts.items():
            if not len(part):
                raise DataError(f'{store.root}: the {num_shots}-shot split {name} has no video; correct the lists.')
        self.videos = np.concatenate(list(parts.values()))
        columns = np.full(len(store.class_names), -1)
        columns[self.class_ids] = np.arange(len(self.class_ids))
        self.labels = columns[store.labels[self.videos]]
        if (self.labels < 0).any():
            video = self.videos[int(np.argmax(self.labels < 0))]
            label = store.class_names[store.labels[video]]
            raise DataError(
                f'{store.root}: video {store.video_ids[video]} of {", ".join(self.splits)} has '
                f"the class '{label}', which is in no training split of stage {stage}; correct the lists."
            )

    @property
    def metainfo(self) -> dict:
        """Class names by column, which of them are base, and the video ids: what metrics and checkpoints need."""
        return dict(
            classes=[self.store.class_names[c] for c in self.class_ids],
            base_mask=self.base_mask.tolist(),
            video_ids=self.store.video_ids[self.videos].tolist(),
        )

    @property
    def class_embeddings(self) -> np.ndarray:
        """The class vectors (C, d) by classifier column."""
        return self.store.class_embeddings(self._embedding)[self.class_ids]

    @property
    def data_info(self) -> dict:
        """Facts about the data that a model is built from; see :class:`AVClassifier`."""
        infos = {m: self.store.modalities[m] for m in self.store.modalities}
        return dict(
            feature_dims={m: info.dim for m, info in infos.items()},
            seconds_per_step={m: info.seconds_per_step for m, info in infos.items()},
            num_classes=len(self.class_ids),
            embedding_dim=self.store.embedding_dim(self._embedding),
        )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a data set whose ``__getitem__`` would never be called: loaders take whole batches."""
        super().__init_subclass__(**kwargs)
        if '__getitem__' in vars(cls) and '__getitems__' not in vars(cls):
            raise ConfigError(
                f'{cls.__name__} has a __getitem__ of its own, but loaders call __getitems__(indices), which returns '
                'a whole batch. Override that instead.'
            )

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> dict:
        """Return a batch of one."""
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> dict:
        """Gather a whole batch.

        Returns:
            ``features`` {modality: dict(x (B, T, D), lengths (B,), starts (B,))}, ``label`` (B,), ``index`` (B,) and
            ``novel``, which is true if every sample belongs to a novel class.
        """
        index = np.asarray(indices, dtype=np.int64)
        labels = self.labels[index]
        return dict(
            features=self._features(index) if self.computed is None else self.computed(index),
            label=torch.from_numpy(labels),
            index=torch.from_numpy(index),
            novel=bool((~self.base_mask[labels]).all()),
        )

    @property
    def lengths(self) -> dict[str, np.ndarray]:
        """Steps of each video before a window cuts them, {modality: (N,)}."""
        return {m: self.store.lengths[m][self.videos] for m in self.modalities}

    @property
    def varies(self) -> bool:
        """Whether the steps of any video are drawn at random each time."""
        return self.window is not None and self.window.varies(self.lengths)

    @cached_property
    def streams_to(self) -> torch.device | None:
        """The device that gathered batches are copied to; ``None`` without one, or if it holds the store."""
        return None if self.resident or self.device is None else device_of(self.device)

    def _features(self, index: np.ndarray) -> dict[str, PaddedSequences]:
        if self.device is not None and torch.utils.data.get_worker_info() is not None:
            raise ConfigError(
                f"dataset.device='{self.device}' makes batches in this process; set num_workers=0 in its loader, or "
                'leave device out.'
            )
        seconds = {m: self.store.modalities[m].seconds_per_step for m in self.modalities}
        seed, device = [self.seed, *index.tolist()], self.streams_to
        return collate(self._source(), self.videos[index], seconds, window=self.window, seed=seed, device=device)

    def _source(self) -> FeatureStore | JoinedStore:
        """Return where batches are gathered from: the store on disk, or the one held on a device."""
        if self.device is None or not self.resident:
            return self.store
        assert isinstance(self.store, FeatureStore)  # AdaptationDataset joins two.
        return held_store(self.store, self.device)


def held_store(store: FeatureStore, device: str) -> FeatureStore:
    """Return a store with its features in the memory of a device; the data sets of a process share it."""
    return _load_store(store.root, device, store.description)


def release_held_store() -> None:
    """Free the memory of the store that is held on a device; the next batch loads it again."""
    _load_store.cache_clear()


def device_of(name: str) -> torch.device:
    """Return the device to which batches are copied."""
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # No such device; a torch without CUDA asserts.
        raise ConfigError(
            f"dataset.device='{name}' cannot be used: {_sentence(error)} Leave device and resident out to "
            'make batches on the CPU.'
        ) from error


@lru_cache(maxsize=1)
def _load_store(root: Path, device: str, description: str) -> FeatureStore:
    """Load a store when its first batch is needed, once for training, validation and test, and again if it changed."""
    try:
        return FeatureStore(root).load(device)
    except (RuntimeError, AssertionError) as error:  # No such device, or no memory; a torch without CUDA asserts.
        raise ConfigError(
            f"dataset.device='{device}' cannot hold {root}: {_sentence(error)} Set "
            'dataset.resident=False to copy batches there, or leave device out to read them from disk.'
        ) from error


def _sentence(error: Exception) -> str:
    return first_line(error).rstrip('.') + '.'


def split_digest(store: FeatureStore, num_shots: int, name: str) -> str:
    """Return a fingerprint of the videos of a split, regardless of their order."""
    ids = sorted(store.video_ids[store.split(num_shots, name)].tolist())
    return hashlib.sha256('\n'.join(ids).encode()).hexdigest()


def stage_classes(store: FeatureStore, num_shots: int, stage: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the class ids of a stage in the store's order (C,) and which of them are base (C,)."""
    base, novel = (np.unique(store.labels[store.split(num_shots, name)]) for name in train_splits(stage, 0))
    both = np.intersect1d(base, novel)
    if len(both):
        raise DataError(
            f"{store.root}: class '{store.class_names[both[0]]}' is both base and novel in stage {stage}; "
            'correct the split lists.'
        )
    class_ids = np.union1d(base, novel)
    return class_ids, np.isin(class_ids, base)
