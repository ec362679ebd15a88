"""Write a feature store one video at a time; it appears complete or not at all."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from avzoo.datasets.store_format import (
    DTYPES,
    FORMAT,
    LONGEST_STEP,
    VERSION,
    check_feature_set,
    check_name,
    check_names,
    npy_bytes,
    npy_header,
    number_problem,
    shots_folder,
    unmasked,
    write_csv,
    write_lines,
)
from avzoo.utils.atomic_folder import PartFolder, check_target
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest
from avzoo.utils.files import sha256_of


class FeatureStoreWriter:
    """Stream videos into a feature store.

    Everything is written to a hidden folder beside ``out``, which ``finish`` renames to ``out``. Use it as a
    context manager: an exception removes what was written, and an older store stays as it was.

    Args:
        out: Folder to write. An existing feature store is replaced; anything else there is refused.
        name: Name of the data set.
        modalities: Per modality ``dict(dim=..., seconds_per_step=...)``.
        classes: Labels, in class-index order.
        texts: The classes in words, in the same order; None takes the labels.
        dtype: How features are stored, ``float32`` or ``float16``.
        source: Where the features came from; it is kept in ``store.json``.
        features: What the features of some modalities are, e.g. ``dict(audio='vggish-pca-u8')``, in your own words.

    Attributes:
        source (str): As given; it may be changed until ``finish``.

    Examples:
        >>> modalities = dict(audio=dict(dim=128, seconds_per_step=0.96))
        >>> with FeatureStoreWriter('data/mine', name='mine', modalities=modalities, classes=['cat', 'dog']) as writer:
        ...     writer.add('video_1', 'cat', dict(audio=np.zeros((10, 128))))
        ...     writer.finish()
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        *,
        name: str,
        modalities: Mapping[str, Mapping[str, Any]],
        classes: Sequence[str],
        texts: Sequence[str] | None = None,
        dtype: str = 'float32',
        source: str = '',
        features: Mapping[str, str] | None = None,
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f'unknown dtype {dtype!r}; choose one of {", ".join(DTYPES)}')
        self.out = Path(os.path.abspath(out))
        check_target(self.out, 'store.json', 'feature store')
        self._classes = list(classes)
        self._texts = [text.strip() for text in (classes if texts is None else texts)]
        check_names([name], 'name of the store')
        check_names(self._classes, f'{name}: class')
        check_names(list(set(filter(None, self._texts))), f'{name}: class text')
        if len(self._texts) != len(self._classes):
            raise DataError(f'{name}: {len(self._classes)} classes and {len(self._texts)} texts; each class needs one.')
        self.source = source
        self._known_classes = set(self._classes)
        self._dtype = np.dtype(dtype)
        self._meta: dict[str, Any] = dict(
            format=FORMAT,
            version=VERSION,
            name=name,
            source=source,
            class_embeddings={},
            modalities={key: _begun(f'{name}: modality', key, entry, dtype) for key, entry in modalities.items()},
        )
        if features:
            check_feature_set(f'{name}: features', features, self._meta['modalities'])
            self._meta['features'] = dict(features)
        self._rows: list[tuple[object, ...]] = []
        self._ids: set[str] = set()
        self._part = PartFolder(self.out)
        self._folder = self._part.path
        self._files = {key: open(self._folder / f'{key}.npy', 'wb') for key in modalities}  # noqa: SIM115, see close
        for key, file in self._files.items():
            file.write(self._header(key))  # again in finish, when the number of steps is known

    def __enter__(self) -> 'FeatureStoreWriter':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if isinstance(error, OSError) and error.filename is None:  # From a write: the disk is full.
            error.filename = str(self.out)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, video_id: str, label: str, features: Mapping[str, np.ndarray]) -> None:
        """Append one video.

        Args:
            video_id: Unique name.
            label: One of ``classes``.
            features: Per modality a sequence of finite numbers, (T, D) with T >= 1.
        """
        check_names([video_id], 'video')
        if video_id in self._ids:
            raise DataError(f'video {video_id!r} occurs twice. Give every video a different id.')
        if label not in self._known_classes:
            raise DataError(f'video {video_id!r}: unknown class {label!r}.' + nearest(label, self._classes))
        entries = self._meta['modalities']
        if set(features) != set(entries):
            raise DataError(f'video {video_id!r} has features {sorted(features)}; the store needs {sorted(entries)}.')
        arrays = {key: self._convert(video_id, key, features[key]) for key in entries}  # all checked, then written
        row: list[object] = [video_id, label]
        for key, array in arrays.items():
            row += [entries[key]['num_steps'], len(array)]
            self._files[key].write(array.data)
            entries[key]['num_steps'] += len(array)
        self._rows.append(tuple(row))
        self._ids.add(video_id)

    def write_class_embeddings(self, name: str, array: np.ndarray, *, source: str = '') -> None:
        """Store class vectors, (C, d), row i for class i.

        Args:
            name: Name of the text embedding. Vectors of different names are never mixed; ``text`` matches any.
            array: The vectors.
            source: How they were made; it is kept in ``store.json``.
        """
        check_name(name, 'class embeddings')
        array = np.asarray(array)
        if array.ndim != 2 or len(array) != len(self._classes) or not array.size:
            raise DataError(
                f'class embeddings {name!r} have shape {array.shape}; there are {len(self._classes)} '
                'classes, so (classes, width) with one row each and a width of at least 1 is needed.'
            )
        if number_problem(array):
            bad = next(label for label, row in zip(self._classes, array, strict=True) if number_problem(row))
            raise DataError(
                f'class embeddings {name!r}: {number_problem(array)} in the vector of class {bad!r}. Correct it.'
            )
        path = self._folder / 'text' / f'{name}.npy'
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(npy_bytes(np.ascontiguousarray(array, dtype=np.float32)))
        origin = dict(source=source) if source else {}
        self._meta['class_embeddings'][name] = dict(dim=array.shape[1], file=f'text/{name}.npy', **origin)

    def write_splits(self, shots: int, splits: Mapping[str, Sequence[str]]) -> None:
        """Store the lists of the K-shot protocol, name -> video ids; the videos must have been added before."""
        folder = shots_folder(self._folder, shots)
        folder.mkdir(parents=True)
        for name, ids in splits.items():
            check_name(name, f'{shots}-shot split')
            check_names(ids, f'{shots}-shot split {name}: video')
            unknown = [video for video in ids if video not in self._ids]
            if unknown:
                raise DataError(
                    f'{shots}-shot split {name}: there are no features for {len(unknown)} of '
                    f'{number_of(len(ids), "video")}, the first is {unknown[0]!r}.'
                )
            write_lines(folder / f'{name}.txt', ids)

    def finish(self) -> Path:
        """Write the tables and checksums, move the store to its place, and return its path."""
        if not self._rows:
            raise DataError(f'{self.out}: no videos to store.')
        columns = [f'{key}_{what}' for key in self._files for what in ('start', 'len')]
        write_csv(self._folder / 'videos.csv', ['video_id', 'label', *columns], self._rows)
        write_csv(self._folder / 'classes.csv', ['label', 'text'], zip(self._classes, self._texts, strict=True))
        for key, file in self._files.items():
            file.seek(0)
            file.write(self._header(key))
            file.close()
        for entry in [*self._meta['modalities'].values(), *self._meta['class_embeddings'].values()]:
            entry['sha256'] = sha256_of(self._folder / entry['file'])
        tables = [
            'videos.csv',
            'classes.csv',
            *sorted(path.relative_to(self._folder).as_posix() for path in self._folder.glob('splits/*/*.txt')),
        ]
        self._meta |= dict(
            source=self.source,
            num_videos=len(self._rows),
            num_classes=len(self._classes),
            sha256={name: sha256_of(self._folder / name) for name in tables},
        )
        (self._folder / 'store.json').write_text(json.dumps(self._meta, indent=2) + '\n', encoding='utf-8')
        self._part.finish()
        return self.out

    def close(self) -> None:
        """Remove what was written, unless ``finish`` has completed the store."""
        for file in self._files.values():
            file.close()
        self._part.close()

    def _header(self, key: str) -> bytes:
        entry = self._meta['modalities'][key]
        return npy_header(entry['dtype'], (entry['num_steps'], entry['dim']))

    def _convert(self, video_id: str, key: str, values: np.ndarray) -> np.ndarray:
        dim = self._meta['modalities'][key]['dim']
        try:
            values = unmasked(values)
        except TypeError as error:
            raise DataError(f'video {video_id!r}: {key} features: {error}. Fill them or leave the steps out.') from None
        if values.ndim != 2 or values.shape[1] != dim or len(values) == 0:
            raise DataError(
                f'video {video_id!r}: {key} features have shape {values.shape}; (steps, {dim}) with at '
                'least one step is needed. All videos of a store need the same width.'
            )
        if problem := number_problem(values, self._dtype.name):
            raise DataError(
                f'video {video_id!r}: {problem} in its {key} features. Extract them again or leave the video out.'
            )
        return np.ascontiguousarray(values, dtype=self._dtype)


def _begun(what: str, key: str, entry: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """Return what ``store.json`` says of a modality that has no videos yet."""
    check_name(key, what)
    dim, seconds = entry['dim'], entry['seconds_per_step']
    if int(dim) != dim or dim < 1 or not 0 < seconds <= LONGEST_STEP:
        raise DataError(
            f'{what} {key!r} has width {dim} and {seconds} seconds per step; a whole number of at least 1 and a number '
            f'above 0, up to {LONGEST_STEP:,}, are needed.'
        )
    return dict(dim=int(dim), dtype=dtype, seconds_per_step=float(seconds), num_steps=0, file=f'{key}.npy')
