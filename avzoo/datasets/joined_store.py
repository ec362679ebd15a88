"""Two feature stores as one, for base classes from one store and new classes from another."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from avzoo.datasets.collate import WHOLE, Take
from avzoo.datasets.feature_set import FeatureSet, compare_feature_sets
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.store_format import UNKNOWN_EMBEDDING
from avzoo.utils.errors import DataError

_Found = TypeVar('_Found')


class JoinedStore:
    """Read the videos of two feature stores under one numbering: the first store's come first.

    It offers what data sets need from a :class:`FeatureStore`; splits are those of the first store.

    Args:
        first: A store.
        second: Another, or the same; with equal widths and step lengths.
        class_names: The classes, in the order of the labels. Class vectors are taken from the first store that has
            the class.
    """

    def __init__(self, first: FeatureStore, second: FeatureStore, class_names: Sequence[str]) -> None:
        _check_alike(first, second)
        self.parts = (first, second)
        self.root, self.name, self.modalities = first.root, first.name, first.modalities
        self.class_names = list(class_names)
        self.video_ids = np.concatenate([part.video_ids for part in self.parts])
        self.lengths = {m: np.concatenate([part.lengths[m] for part in self.parts]) for m in self.modalities}
        order = {name: i for i, name in enumerate(self.class_names)}
        tables = [np.array([order.get(name, -1) for name in part.class_names]) for part in self.parts]
        self.labels = np.concatenate([table[part.labels] for table, part in zip(tables, self.parts, strict=True)])

    def __len__(self) -> int:
        return len(self.video_ids)

    @property
    def feature_set(self) -> FeatureSet:
        """How the stores describe their features."""
        first, second = (part.feature_set for part in self.parts)
        return FeatureSet(first.owner, {**second.texts, **first.texts})

    def split(self, num_shots: int, name: str) -> np.ndarray:
        """Return the videos of a split of the first store as positions in ``video_ids``, (n,) int64."""
        return self.parts[0].split(num_shots, name)

    def known_modalities(self, wanted: Sequence[str] | None) -> list[str]:
        """Return the modalities to use; see :meth:`FeatureStore.known_modalities`."""
        return self.parts[0].known_modalities(wanted)

    def class_embeddings(self, name: str | None = None) -> np.ndarray:
        """Return class vectors (C, d); a mix of different text embeddings is refused."""
        kinds = [part.embedding_name(name) for part in self.parts]
        if kinds[0] != kinds[1] and UNKNOWN_EMBEDDING not in kinds:
            raise DataError(
                f'{self.parts[0].root} has class vectors {kinds[0]!r} and {self.parts[1].root} {kinds[1]!r}; make both '
                'with the same language model and the same options (--text of tools/class_vectors.py).'
            )
        tables = [dict(zip(part.class_names, part.class_embeddings(name), strict=True)) for part in self.parts]
        rows = [next(table[label] for table in tables if label in table) for label in self.class_names]
        widths = sorted({len(row) for row in rows})
        if len(widths) > 1:
            raise DataError(
                f'{self.parts[0].root} and {self.parts[1].root}: class vectors are {widths[0]} and '
                f'{widths[1]} wide; make both with the same language model.'
            )
        return np.stack(rows)

    def embedding_dim(self, name: str | None = None) -> int:
        """Return the width of the first store's class vectors; 0 if it has none."""
        return self.parts[0].embedding_dim(name)

    def gather(self, modality: str, videos: np.ndarray, take: Take = WHOLE) -> tuple[Tensor, Tensor]:
        """Fetch a zero-padded batch: features (B, T, D) and lengths (B,); see :meth:`FeatureStore.gather`."""
        videos = np.asarray(videos, dtype=np.int64)
        longest = int(take.steps(self.lengths[modality][videos]).max(initial=0))
        pad_to = longest if take.pad_to is None else take.pad_to

        def read(part: FeatureStore, mine: np.ndarray, local: np.ndarray) -> tuple[Tensor, Tensor]:
            begin = None if take.starts is None else take.starts[mine]
            most = take.max_steps[mine] if isinstance(take.max_steps, np.ndarray) else take.max_steps
            return part.gather(modality, local, Take(begin, most, pad_to, take.device))

        found = self._split(videos, read)
        x, lengths = torch.cat([x for _, (x, _) in found]), torch.cat([n for _, (_, n) in found])
        order = torch.from_numpy(np.argsort(np.concatenate([mine for mine, _ in found]), kind='stable'))
        back = order.to(x.device, non_blocking=True)  # An index on the host would be waited for.
        return x[back], lengths[back]

    def temporal_mean(self, modality: str, videos: np.ndarray) -> np.ndarray:
        """Average each video over time: (B, D)."""
        videos = np.asarray(videos, dtype=np.int64)
        means = np.empty((len(videos), self.modalities[modality].dim), np.float32)
        for mine, rows in self._split(videos, lambda part, mine, local: part.temporal_mean(modality, local)):
            means[mine] = rows
        return means

    def _split(
        self, videos: np.ndarray, read: Callable[[FeatureStore, np.ndarray, np.ndarray], _Found]
    ) -> list[tuple[np.ndarray, _Found]]:
        """Read the videos of each store: pairs of positions in ``videos`` and what ``read`` returns for them."""
        border = len(self.parts[0])
        shares = (np.flatnonzero(videos < border), np.flatnonzero(videos >= border))
        return [
            (mine, read(part, mine, videos[mine] - offset))
            for part, mine, offset in zip(self.parts, shares, (0, border), strict=True)
            if len(mine)
        ]


def _check_alike(first: FeatureStore, second: FeatureStore) -> None:
    compare_feature_sets(first.feature_set, second.feature_set, first.modalities)
    for name, one in first.modalities.items():
        other = second.modalities.get(name)
        if other is None or (one.dim, one.seconds_per_step) != (other.dim, other.seconds_per_step):
            has = f'{other.dim}-d every {other.seconds_per_step:g} s' if other else 'missing'
            raise DataError(
                f'{second.root}: {name} features are {has}, but {first.root} has {one.dim}-d every '
                f'{one.seconds_per_step:g} s. Extract both with the same networks.'
            )
