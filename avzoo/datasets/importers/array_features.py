"""Read features of one's own, from one ``.npz`` file or from a folder of ``.npy`` files."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from avzoo.datasets.safe_pickle import load_npy, load_npz
from avzoo.utils.errors import DataError, nearest

MODALITIES = ('audio', 'visual')


class ArrayFeatures:
    """Look up the feature sequences of a video.

    Two layouts are read; each may have one modality only:

    - ``FILE.npz`` with ``video_id`` (N,) and ``audio``, ``visual``, each one of
      (N, D), one step a video; (N, T, D), all of one length; an object array of N arrays (T_i, D); or
      (T_1 + ... + T_N, D) together with ``audio_len``, ``visual_len`` (N,). ``label`` (N,) may be there too. All of
      it is held in memory.
    - ``DIR/audio/VIDEO_ID.npy`` and ``DIR/visual/VIDEO_ID.npy``, each (T, D), or (D,) for one step. One video at a
      time is held in memory: the layout for large data.

    Args:
        path: The file or the folder.

    Attributes:
        modalities (tuple[str, ...]): Which of ``audio`` and ``visual`` are there.
        labels (dict[str, str]): Label of each video, where the file has them.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.labels: dict[str, str] = {}
        self._arrays: dict[str, list[np.ndarray]] | None = None
        self._positions: dict[str, int] = {}
        if self.path.is_dir():
            self.modalities = tuple(key for key in MODALITIES if (self.path / key).is_dir())
            if not self.modalities:
                raise DataError(f'{self.path} has neither a folder audio nor a folder visual. Put the features of a '
                                'video in audio/VIDEO_ID.npy and visual/VIDEO_ID.npy.')
        else:
            self._read_npz()

    @property
    def video_ids(self) -> list[str]:
        """The videos of an ``.npz`` file, in its order; a folder does not list its own."""
        return list(self._positions)

    def missing(self, videos: Iterable[str]) -> list[str]:
        """Return those of ``videos`` that lack features in some modality."""
        if self._arrays is not None:
            return [video for video in videos if video not in self._positions]
        return [video for video in videos if not all(self._file(key, video).is_file() for key in self.modalities)]

    def read(self, video: str) -> dict[str, np.ndarray]:
        """Return the sequences of one video, modality -> (T, D)."""
        if self._arrays is not None:
            position = self._positions[video]
            found = {key: arrays[position] for key, arrays in self._arrays.items()}
        else:
            found = {key: load_npy(self._file(key, video)) for key in self.modalities}
        return {key: array[None] if array.ndim == 1 else array for key, array in found.items()}

    def _file(self, key: str, video: str) -> Path:
        return self.path / key / f'{video}.npy'

    def _read_npz(self) -> None:
        content = load_npz(self.path)
        allowed = ('video_id', 'label', *MODALITIES, *(f'{key}_len' for key in MODALITIES))
        odd = [key for key in content if key not in allowed]
        if odd:
            raise DataError(f'{self.path}: unknown array {odd[0]!r}; known are {", ".join(allowed)}.'
                            + nearest(odd[0], allowed))
        self.modalities = tuple(key for key in MODALITIES if key in content)
        if 'video_id' not in content or not self.modalities:
            raise DataError(f'{self.path} has {", ".join(content)}; video_id and at least one of audio, visual are '
                            'needed.')
        ids = content['video_id'].astype(str).tolist()
        self._positions = {video: i for i, video in enumerate(ids)}
        if len(self._positions) != len(ids):
            twice = next(video for i, video in enumerate(ids) if self._positions[video] != i)
            raise DataError(f'{self.path}: video {twice!r} comes twice in video_id. Give every video its own id.')
        if 'label' in content:
            if content['label'].shape != (len(ids),):
                raise DataError(f'{self.path}: label has shape {content["label"].shape} for {len(ids)} videos.')
            self.labels = dict(zip(ids, content['label'].astype(str).tolist(), strict=True))
        self._arrays = {key: self._split(key, content[key], content.get(f'{key}_len'), len(ids))
                        for key in self.modalities}

    def _split(self, key: str, array: np.ndarray, lengths: np.ndarray | None, num_videos: int) -> list[np.ndarray]:
        """Cut an array into one piece a video."""
        if lengths is not None:
            lengths = lengths.astype(np.int64)
            if lengths.shape != (num_videos,) or (lengths < 1).any() or array.ndim != 2 or lengths.sum() != len(array):
                raise DataError(f'{self.path}: {key}_len must hold a length of at least 1 for each of the {num_videos} '
                                f'videos, which sum up to the {len(array)} rows of {key}.')
            return np.split(array, np.cumsum(lengths)[:-1])
        if len(array) != num_videos or array.ndim not in (1, 2, 3) or (array.ndim == 1) != (array.dtype == object):
            raise DataError(f'{self.path}: {key} has shape {array.shape} for {num_videos} videos. Give (N, D), '
                            f'(N, T, D), an object array of N sequences, or all steps one after the other with '
                            f'{key}_len.')
        return [np.asarray(item) for item in array]
