"""Read your own features from one ``.npz`` file or from a folder of ``.npy`` files."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from avzoo.datasets.safe_pickle import load_npy, load_npz
from avzoo.datasets.store_format import check_names, check_paths
from avzoo.protocol import MODALITIES
from avzoo.utils.errors import DataError, nearest


class ArrayFeatures:
    """Look up the feature sequences of a video.

    Two layouts are read; each may have one modality only:

    - ``FILE.npz`` with ``video_id`` (N,) and ``audio``, ``visual``, each one of
      (N, D), one step per video; (N, T, D), all of the same length; an object array of N arrays (T_i, D); or
      (T_1 + ... + T_N, D) together with ``audio_len``, ``visual_len`` (N,). ``label`` (N,) is optional. The whole file
      is kept in memory.
    - ``DIR/audio/VIDEO_ID.npy`` and ``DIR/visual/VIDEO_ID.npy``, each (T, D), or (D,) for one step. One video at a
      time is kept in memory: the layout for large data. An id may have slashes; one that leads out of the folder is
      refused.

    Args:
        path: The file or the folder.

    Attributes:
        modalities (tuple[str, ...]): Which of ``audio`` and ``visual`` are there.
        labels (dict[str, str]): Label of each video, where the file has them.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.labels: dict[str, str] = {}
        self._arrays: dict[str, Sequence[np.ndarray]] | None = None
        self._positions: dict[str, int] = {}
        if self.path.is_dir():
            self.modalities = tuple(key for key in MODALITIES if (self.path / key).is_dir())
            if not self.modalities:
                raise DataError(
                    f'{self.path} has neither a folder audio nor a folder visual. Put the features of a '
                    'video in audio/VIDEO_ID.npy and visual/VIDEO_ID.npy.'
                )
            if len(self.modalities) > 1 and os.path.samefile(*(self.path / key for key in self.modalities)):
                raise DataError(f'{self.path}: {" and ".join(self.modalities)} are the same folder. Give each its own.')
        else:
            self._read_npz()

    @property
    def video_ids(self) -> list[str]:
        """The videos of an ``.npz`` file, in its order; empty for a folder."""
        return list(self._positions)

    def missing(self, videos: Iterable[str]) -> list[str]:
        """Return those of ``videos`` that lack features in some modality."""
        videos = list(videos)
        if self._arrays is not None:
            return [video for video in videos if video not in self._positions]
        check_paths(videos, f'{self.path}: video')
        return [video for video in videos if not all(os.path.isfile(self._file(key, video)) for key in self.modalities)]

    def read(self, video: str) -> dict[str, np.ndarray]:
        """Return the sequences of one video, {modality: (T, D)}."""
        if self._arrays is not None:
            position = self._positions[video]
            found = {key: arrays[position] for key, arrays in self._arrays.items()}
        else:
            check_paths([video], f'{self.path}: video')
            found = {key: load_npy(self._file(key, video)) for key in self.modalities}
        return {key: self._as_sequence(values, key, video) for key, values in found.items()}

    def _file(self, key: str, video: str) -> Path:
        return self.path / key / f'{video}.npy'

    def _as_sequence(self, values: object, key: str, video: str) -> np.ndarray:
        """Return the features of one video as (T, D), one step where they are (D,)."""
        try:
            array = np.asarray(values)
            found = f'{array.dtype} of shape {array.shape}'
        except ValueError:
            array, found = np.empty(0), 'rows of unequal width'
        array = array[None] if array.ndim == 1 else array
        if array.ndim != 2 or array.dtype.kind not in 'biuf' or not array.shape[1]:
            raise DataError(
                f'{self.path}: the {key} features of video {video!r} are {found}; numbers '
                '(steps, width), or (width,) for one step, are needed.'
            )
        return array

    def _texts(self, name: str, array: np.ndarray) -> list[str]:
        """Return an array of names or of whole numbers (N,) as text."""
        items = array.tolist() if array.ndim == 1 else [None]
        try:
            items = [item.decode() if isinstance(item, bytes) else item for item in items]
        except UnicodeDecodeError as error:
            raise DataError(f'{self.path}: {name} holds bytes that are not UTF-8 ({error}). Save it as text.') from None
        if not all(isinstance(item, str | int) for item in items):
            raise DataError(
                f'{self.path}: {name} is {array.dtype} of shape {array.shape}; an array (N,) of text or of '
                'whole numbers is needed.'
            )
        return list(map(str, items))

    def _read_npz(self) -> None:
        content = load_npz(self.path)
        allowed = ('video_id', 'label', *MODALITIES, *(f'{key}_len' for key in MODALITIES))
        odd = [key for key in content if key not in allowed]
        if odd:
            raise DataError(
                f'{self.path}: unknown array {odd[0]!r}; known are {", ".join(allowed)}.' + nearest(odd[0], allowed)
            )
        self.modalities = tuple(key for key in MODALITIES if key in content)
        if 'video_id' not in content or not self.modalities:
            raise DataError(
                f'{self.path} has {", ".join(content)}; video_id and at least one of audio, visual are needed.'
            )
        ids = self._texts('video_id', content['video_id'])
        check_names(ids, f'{self.path}: video')
        self._positions = {video: i for i, video in enumerate(ids)}
        if 'label' in content:
            labels = self._texts('label', content['label'])
            if len(labels) != len(ids):
                raise DataError(f'{self.path}: {len(labels)} labels for {len(ids)} videos; each needs one.')
            self.labels = dict(zip(ids, labels, strict=True))
        self._arrays = {
            key: self._split(key, content[key], content.get(f'{key}_len'), len(ids)) for key in self.modalities
        }

    def _split(self, key: str, array: np.ndarray, lengths: np.ndarray | None, num_videos: int) -> Sequence[np.ndarray]:
        """Cut an array into one sequence per video."""
        if lengths is not None:
            whole = lengths.dtype.kind in 'iu' and lengths.shape == (num_videos,) and array.ndim == 2
            # Each length is checked too: the sum of huge ones might overflow to the right number.
            if not whole or (lengths < 1).any() or (lengths > len(array)).any() or lengths.sum() != len(array):
                raise DataError(
                    f'{self.path}: {key}_len ({lengths.dtype} of shape {lengths.shape}) must hold a whole '
                    f'number of at least 1 for each of the {num_videos} videos, and add up to the rows '
                    f'of {key}, shape {array.shape}.'
                )
            return np.split(array, np.cumsum(lengths)[:-1])
        if array.ndim not in (1, 2, 3) or len(array) != num_videos or (array.ndim == 1) != (array.dtype == object):
            raise DataError(
                f'{self.path}: {key} has shape {array.shape} for {num_videos} videos. Give (N, D), '
                f'(N, T, D), an object array of N sequences, or all steps one after the other with '
                f'{key}_len.'
            )
        return list(array)
