"""The training set of an adaptation: base classes from one store, new classes from a few clips of another."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.gfsl_dataset import GFSLDataset, held_store
from avzoo.datasets.joined_store import JoinedStore
from avzoo.datasets.window import Window
from avzoo.protocol import base_split
from avzoo.registry import DATASETS
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError


@DATASETS.register_module()
class AdaptationDataset(GFSLDataset):
    """Serve base videos of one store and the support clips of another as one data set of base and novel classes.

    Args:
        data_root: Feature store of the base classes.
        support: Feature store of the new classes.
        support_ids: Which of its videos are the support.
        classes: All classes by classifier column.
        base_classes: Which of them are base classes.
        base_split: Training split of the base classes.
        splits: Names of the splits, for messages about missing videos.
        num_shots: Support clips that each new class must have; 0 accepts any number.
        modalities: As in :class:`GFSLDataset`.
        window: As in :class:`GFSLDataset`.
        embedding: As in :class:`GFSLDataset`.
        seed: As in :class:`GFSLDataset`.
        device: As in :class:`GFSLDataset`; it holds both stores.
        resident: As in :class:`GFSLDataset`.
    """

    store: JoinedStore

    def __init__(
        self,
        data_root: str | Path,
        *,
        support: str | Path,
        support_ids: Sequence[str],
        classes: Sequence[str],
        base_classes: Sequence[str],
        base_split: str = base_split(2),
        splits: tuple[str, ...] = (),
        num_shots: int = 0,
        modalities: tuple[str, ...] | None = None,
        window: dict | None = None,
        embedding: str | None = None,
        seed: int = 0,
        device: str | None = None,
        resident: bool = True,
    ) -> None:
        base, extra = FeatureStore(data_root), FeatureStore(support)
        self.store = JoinedStore(base, extra, classes)
        self.splits = tuple(splits)
        self.modalities = tuple(self.store.known_modalities(modalities or None))
        self.window = Window(**window) if window else None
        self.seed, self._embedding, self.device, self.resident = seed, embedding, device, resident
        self._on_device: JoinedStore | None = None
        self.class_ids = np.arange(len(classes))
        self.base_mask = np.isin(np.asarray(classes), np.asarray(base_classes))
        novel = self._support_videos(support_ids, num_shots)
        self.videos = np.concatenate([self._base_videos(base_split), novel])
        self.labels = self.store.labels[self.videos]

    def _source(self) -> JoinedStore:
        if self.device is None or not self.resident:
            return self.store
        if self._on_device is None:
            base, extra = self.store.parts
            base = held_store(base, self.device)
            extra = base if extra.root == base.root else extra.load(self.device)
            self._on_device = JoinedStore(base, extra, self.store.class_names)
        return self._on_device

    def _support_videos(self, ids: Sequence[str], num_shots: int) -> np.ndarray:
        """Return the support clips, after checking that each new class has the requested number."""
        base, extra = self.store.parts
        places = {str(name): len(base) + i for i, name in enumerate(extra.video_ids)}
        videos = np.array([places[name] for name in ids], dtype=np.int64)
        if len(odd := videos[self.store.labels[videos] < 0]):
            raise DataError(
                f'{extra.root}: the class of support video {str(self.store.video_ids[odd[0]])!r} is not in '
                'classes. Add it, or leave the video out of support_ids.'
            )
        for column in np.flatnonzero(~self.base_mask):
            count = int((self.store.labels[videos] == column).sum())
            if num_shots and count != num_shots:
                raise DataError(
                    f'{extra.root}: the support has {number_of(count, "clip")} of class '
                    f"'{self.store.class_names[column]}'; "
                    f'num_shots={num_shots} asks for {num_shots}. Change support_ids or num_shots.'
                )
        return videos

    def _base_videos(self, split: str) -> np.ndarray:
        """Return the training videos of the base classes; every K has the same base split."""
        base = self.store.parts[0]
        shots = base.shots()
        videos = self.store.split(shots[0] if shots else 1, split)
        labels = self.store.labels[videos]
        videos = videos[(labels >= 0) & self.base_mask[labels]]
        wanted = np.flatnonzero(self.base_mask)
        absent = np.setdiff1d(wanted, self.store.labels[videos])
        if len(absent):
            raise DataError(
                f"{base.root}: split {split} has no video of {len(absent)} of the model's {len(wanted)} base classes, "
                f"the first is '{self.store.class_names[absent[0]]}'. Give the store that the model was trained on "
                '(--base-store).'
            )
        return videos
