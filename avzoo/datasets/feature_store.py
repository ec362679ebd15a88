"""Read packed audio-visual features by offset; memory does not grow with the data set."""

import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avzoo.datasets.collate import WHOLE, Take, gather_rows
from avzoo.datasets.feature_set import FeatureSet
from avzoo.datasets.store_files import open_array, read_meta, verify_checksums
from avzoo.datasets.store_format import Modality, number_problem, read_lines, shots_folder
from avzoo.datasets.store_tables import tables_of
from avzoo.utils.counts import number_of
from avzoo.utils.errors import ConfigError, DataError, nearest
from avzoo.utils.paths import stays_inside

_CHUNK_BYTES = 16 << 20  # of float32 features held at once by temporal_mean
_TORCH_DTYPES = {'float32': torch.float32, 'float16': torch.float16}


class FeatureStore:
    """Read batches of feature sequences, labels, class vectors and split lists of one data set.

    Features stay on disk, memory-mapped. Opening a store checks that every file has the size, shape and dtype that
    ``store.json`` gives. Values are checked when a store is written (NaN is refused) and not again when it is read;
    ``verify=True`` checks by checksum that nothing has changed since. Tables and lists are read once per process, and
    again if their files change.

    Args:
        root: Folder that holds ``store.json``.
        verify: Recompute the SHA-256 of every file; reads all of the store once.

    Attributes:
        name (str): Name of the data set, e.g. ``ucf_fsl``.
        modalities (dict[str, Modality]): Feature streams by name.
        class_names (list[str]): Labels, in the order of ``classes.csv``. C of them.
        class_texts (list[str]): The same classes in words.
        video_ids (np.ndarray): Unique names, (N,) str.
        labels (np.ndarray): Index into ``class_names``, (N,) int64.
        offsets (dict[str, np.ndarray]): First row of each video in a modality's array, (N,) int64.
        lengths (dict[str, np.ndarray]): Steps of each video, at least 1, (N,) int64.
    """

    def __init__(self, root: str | os.PathLike[str], *, verify: bool = False) -> None:
        self.root = Path(root)
        self._meta = read_meta(self.root)
        self._rows = self._map_features()
        if verify:  # After opening the arrays: a truncated one is reported as truncated.
            verify_checksums(self.root, self._meta)
        self.name: str = self._meta['name']
        self.modalities = {
            key: Modality(key, entry['dim'], entry['dtype'], entry['seconds_per_step'])
            for key, entry in self._meta['modalities'].items()
        }
        self._tables = tables = tables_of(self.root, self._meta)
        self.class_names, self.class_texts = list(tables.class_names), list(tables.class_texts)
        self.video_ids, self.labels = tables.video_ids, tables.labels
        self.offsets, self.lengths = dict(tables.offsets), dict(tables.lengths)

    def __len__(self) -> int:
        return len(self.video_ids)

    def __repr__(self) -> str:
        streams = ', '.join(f'{m.name} {m.dim}-d {m.dtype}' for m in self.modalities.values())
        videos, classes = number_of(len(self), 'video'), number_of(len(self.class_names), 'class', 'classes')
        return f'FeatureStore({self.name}: {videos}, {classes}, {streams})'

    def __getstate__(self) -> dict:
        # A memory map would be pickled with its contents; a spawned worker opens the files itself instead.
        return {**self.__dict__, '_rows': None}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._rows = self._map_features()

    @cached_property
    def description(self) -> str:
        """The store's path and the content of ``store.json``, including the SHA-256 of each file."""
        return f'{self.root} {self._meta}'

    @property
    def feature_set(self) -> FeatureSet:
        """The store's own description of its features."""
        return FeatureSet(str(self.root), self._meta.get('features', {}))

    def known_modalities(self, wanted: Sequence[str] | None) -> list[str]:
        """Return the modalities to use, by default all.

        Raises:
            ConfigError: If the store lacks one, or none is wanted; names those that it has.
        """
        chosen, known = list(self.modalities if wanted is None else wanted), ', '.join(self.modalities)
        for name in chosen:
            if name not in self.modalities:
                close = nearest(name, self.modalities)
                raise ConfigError(f"store '{self.name}' has no modality '{name}'.{close} It has {known}.")
        if not chosen:
            raise ConfigError(f'no modality to use; choose from {known}.')
        return chosen

    def gather(self, modality: str, videos: np.ndarray, take: Take = WHOLE) -> tuple[Tensor, Tensor]:
        """Fetch a zero-padded batch of sequences in one indexed copy.

        Args:
            modality: ``audio`` or ``visual``.
            videos: Positions in ``video_ids``, (B,) int64.
            take: Which steps of each.

        Returns:
            Features, (B, T, D) float32, zero beyond each length; and lengths, (B,) int64.
        """
        if modality not in self.modalities:
            raise DataError(
                f'{self.root}: no modality {modality!r}; it has {", ".join(self.modalities)}.'
                + nearest(modality, self.modalities)
            )
        self._check_whole(modality)
        videos = np.asarray(videos, dtype=np.int64)
        first, lengths = self.offsets[modality][videos], self.lengths[modality][videos]
        return gather_rows(self._rows[modality], first, lengths, take)

    def temporal_mean(self, modality: str, videos: np.ndarray) -> np.ndarray:
        """Average each video over time; memory does not grow with the number of videos.

        Args:
            modality: ``audio`` or ``visual``.
            videos: Positions in ``video_ids``, (B,) int64.

        Returns:
            Means, (B, D) float32.
        """
        videos = np.asarray(videos, dtype=np.int64)
        dim = self.modalities[modality].dim
        longest = int(self.lengths[modality][videos].max(initial=1))
        count = max(1, _CHUNK_BYTES // (4 * dim * longest))
        means = np.empty((len(videos), dim), np.float32)
        for begin in range(0, len(videos), count):
            features, lengths = self.gather(modality, videos[begin : begin + count])  # (b, T, D), padding is zero
            means[begin : begin + count] = features.cpu().numpy().sum(axis=1) / lengths.cpu().numpy()[:, None]
        return means

    def load(self, device: str | torch.device) -> 'FeatureStore':
        """Load all features into the memory of ``device``; ``gather`` then returns batches there."""
        for key, rows in self._rows.items():
            if not isinstance(rows, Tensor):
                held = torch.empty(rows.shape, dtype=_TORCH_DTYPES[rows.dtype.name], device=device)
                step = max(1, _CHUNK_BYTES // rows[:1].nbytes)
                for begin in range(0, len(rows), step):  # piecewise: the whole file is never in memory
                    self._check_whole(key)
                    held[begin : begin + step] = torch.from_numpy(np.array(rows[begin : begin + step]))
                self._rows[key] = held
                del self._mapped[key]
        return self

    def class_embeddings(self, name: str | None = None) -> np.ndarray:
        """Return class vectors, (C, d) float32, row i for class i; ``name=None`` takes the first kind stored."""
        entry = self._meta['class_embeddings'][self.embedding_name(name)]
        path = self.root / entry['file']
        vectors = np.array(open_array(path, (len(self.class_names), entry['dim']), 'float32'))
        if problem := number_problem(vectors):
            raise DataError(f'{path}: {problem} in the class vectors. Compute them again (tools/class_vectors.py).')
        return vectors

    def embedding_name(self, name: str | None = None) -> str:
        """Return the name of a stored kind of class vectors; ``None`` takes the first."""
        kinds = self._meta['class_embeddings']
        if not kinds:
            raise DataError(
                f'{self.root} has no class vectors (class_embeddings of its store.json), and this method needs them. '
                'Make them with tools/class_vectors.py, and write the store again, e.g. with --class-embeddings of '
                'tools/dataset_converters/features.py.'
            )
        name = next(iter(kinds)) if name is None else name
        if name not in kinds:
            raise DataError(
                f'{self.root}: no class embeddings {name!r}; it has {", ".join(sorted(kinds))}.' + nearest(name, kinds)
            )
        return name

    def embedding_source(self, name: str | None = None) -> str:
        """Return how class vectors were made, as the store says; empty if it does not."""
        return str(self._meta['class_embeddings'][self.embedding_name(name)].get('source', ''))

    def embedding_dim(self, name: str | None = None) -> int:
        """Return the width of class vectors; 0 if the store has none at all."""
        kinds = self._meta['class_embeddings']
        return kinds[self.embedding_name(name)]['dim'] if kinds else 0

    def shots(self) -> list[int]:
        """Return the K for which this store has K-shot splits."""
        found = (re.fullmatch(r'(\d+)shot', path.name) for path in (self.root / 'splits').glob('*shot'))
        return sorted(int(match[1]) for match in found if match)

    def split_sizes(self, num_shots: int) -> dict[str, int]:
        """Return the number of videos of each K-shot split."""
        folder = shots_folder(self.root, num_shots)
        return {path.stem: len(read_lines(path)) for path in sorted(folder.glob('*.txt'))}

    def split(self, num_shots: int, name: str) -> np.ndarray:
        """Return the videos of one split as positions in ``video_ids``, (n,) int64, in the order of its file."""
        folder = shots_folder(self.root, num_shots)
        path = folder / f'{name}.txt'
        if not folder.is_dir():
            raise DataError(
                f'{self.root}: no {num_shots}-shot splits; it has {self.shots() or "none"}. '
                'Draw them with tools/dataset_converters/splits.py.'
            )
        if not stays_inside(name) or not path.is_file():
            names = sorted(file.stem for file in folder.glob('*.txt'))
            raise DataError(f'{folder}: no split {name!r}; it has {", ".join(names)}.' + nearest(name, names))
        return self._tables.split(path)

    def _map_features(self) -> dict[str, np.ndarray | Tensor]:
        """Map each modality's array into memory without reading it, (total steps, D)."""
        rows: dict[str, np.ndarray | Tensor] = {
            key: open_array(self.root / entry['file'], (entry['num_steps'], entry['dim']), entry['dtype'])
            for key, entry in self._meta['modalities'].items()
        }
        paths = {key: str(self.root / self._meta['modalities'][key]['file']) for key in rows}
        self._mapped = {key: (path, os.stat(path)) for key, path in paths.items()}
        return rows

    def _check_whole(self, modality: str) -> None:
        """Refuse a file that was cut off since it was mapped: reading beyond its end would kill the process."""
        if modality not in self._mapped:
            return
        path, before = self._mapped[modality]
        try:
            now = os.stat(path)
        except OSError:  # One that was removed or moved can still be read.
            return
        if now.st_ino == before.st_ino and now.st_size < before.st_size:
            raise DataError(
                f'{path} was cut off while it was in use: it has {now.st_size:,} of {before.st_size:,} bytes. Restore '
                'the file, then repeat the command; training resumes with --resume.'
            )
