"""Read your own features from one file or from a folder of ``.npy`` files."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from avzoo.datasets.store_format import check_paths
from avzoo.importers.array_files import FORMS, read_file
from avzoo.importers.array_folder import open_folder
from avzoo.importers.array_layouts import Arrays, arrange, as_numbers
from avzoo.importers.video_ids import match_ids
from avzoo.protocol import MODALITIES
from avzoo.readers.h5_features import read_h5_layout
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError

_HDF5 = ('.h5', '.hdf5', '.hdf')
OTHER_FORMS = (*_HDF5, *FORMS)  # Suffixes of files that are not .npz


class ArrayFeatures:
    """Look up the feature sequences of a video.

    Supported layouts, each of which may have only one modality:

    - ``FILE.npz`` with ``video_id`` (N,) and ``audio``, ``visual``, each one of
      (N, D), one step per video; (N, T, D), all of the same length; an object array of N arrays (T_i, D); or
      (T_1 + ... + T_N, D) together with ``audio_len``, ``visual_len`` (N,). ``label`` (N,) is optional. The whole file
      is kept in memory.
    - ``DIR/audio/VIDEO_ID.npy`` and ``DIR/visual/VIDEO_ID.npy``, each (T, D), or (D,) for one step. One video at a
      time is kept in memory: the layout for large data. An id may have slashes; one that leads out of the folder is
      refused.
    - ``DIR/VIDEO_ID.npz`` with arrays ``audio`` and ``visual``, each (T, D) or (D,); one video at a time, too.
    - ``FILE.h5`` with the arrays of the ``.npz``; or with ``audio/VIDEO_ID`` and ``visual/VIDEO_ID``, or
      ``VIDEO_ID/audio`` and ``VIDEO_ID/visual``, read one video at a time.
    - ``.mat``, ``.pkl``, ``.pt`` or a dict in ``.npy``: the arrays of the ``.npz``, or dicts by modality and video id,
      in either order.

    Args:
        path: The file or the folder.
        transposed: Modalities whose arrays are (D, T); those that are (D,) remain one step.

    Attributes:
        modalities (tuple[str, ...]): Which of ``audio`` and ``visual`` are present.
        labels (Mapping[str, str]): Label of each video, where the file has them.

    Raises:
        DataError: If it is of another layout, or lacks a modality that is transposed.
    """

    def __init__(self, path: str | os.PathLike[str], *, transposed: Collection[str] = ()) -> None:
        self.path = Path(path)
        arrays = _open(self.path)
        self.labels = arrays.labels
        self.modalities = tuple(arrays.values)
        self._values = arrays.values
        self._transposed = frozenset(transposed)
        if odd := self._transposed.difference(self.modalities):
            known = ' and '.join(self.modalities)
            raise DataError(f'{self.path}: {min(odd)} cannot be transposed; it has {known} features only.')
        self._names: dict[str, str] = {}
        self._is_folder = self.path.is_dir()

    @property
    def video_ids(self) -> list[str]:
        """The videos that have features in any modality, in the order of a file, sorted for a folder."""
        return list(dict.fromkeys(video for values in self._values.values() for video in values))

    def match(self, videos: Iterable[str]) -> dict[str, str]:
        """Let ids stand for others of the same stem, see ``match_ids``; returns those that differ.

        Raises:
            DataError: An id may match several videos, or several ids the same one.
        """
        found, unclear = match_ids(videos, self.video_ids)
        if unclear:
            name, others = next(iter(unclear.items()))
            raise DataError(
                f'{self.path}: {number_of(len(unclear), "id is", "ids are")} ambiguous by stem. {name!r} may '
                f'mean the same as {", ".join(map(repr, others[:3]))}. Use the same ids in both.'
            )
        self._names = {name: other for name, other in found.items() if name != other}
        return self._names

    def missing(self, videos: Iterable[str]) -> dict[str, str]:
        """Return those of ``videos`` that lack features in some modality, with what they lack."""
        videos = list(videos)
        self._check_paths(videos)
        lacking = {v: [k for k in self._values if self._names.get(v, v) not in self._values[k]] for v in videos}
        return {
            video: 'no features' if len(keys) == len(self._values) else f'no {keys[0]} features'
            for video, keys in lacking.items()
            if keys
        }

    def read(self, video: str) -> dict[str, np.ndarray]:
        """Return the sequences of one video, {modality: (T, D)}, without those that it lacks."""
        self._check_paths([video])
        name = self._names.get(video, video)
        found = {key: values[name] for key, values in self._values.items() if name in values}
        return {key: self._as_sequence(values, key, video) for key, values in found.items()}

    def label(self, video: str, default: str) -> str:
        """Return the label that the file gives a video, or ``default`` where it gives none."""
        return self.labels.get(self._names.get(video, video), default)

    def _check_paths(self, videos: Iterable[str]) -> None:
        if self._is_folder:
            check_paths(videos, f'{self.path}: video')

    def _as_sequence(self, values: object, key: str, video: str) -> np.ndarray:
        """Return the features of one video as (T, D), one step where they are (D,)."""
        try:
            array = as_numbers(values)
        except ValueError:
            raise self._not_a_sequence(key, video, 'rows of unequal width') from None
        rows = array[None] if array.ndim == 1 else array.T if key in self._transposed else array
        if rows.ndim != 2 or rows.dtype.kind not in 'biuf' or not rows.shape[1]:
            raise self._not_a_sequence(key, video, f'{array.dtype} of shape {array.shape}')
        return rows

    def _not_a_sequence(self, key: str, video: str, found: str) -> DataError:
        return DataError(
            f'{self.path}: the {key} features of video {video!r} are {found}; numbers (steps, width), or (width,) for '
            'one step, are needed.'
        )


def _open(path: Path) -> Arrays:
    if path.is_dir():
        return Arrays(open_folder(path))
    return arrange(path, read_h5_layout(path, MODALITIES) if path.suffix.lower() in _HDF5 else read_file(path))
