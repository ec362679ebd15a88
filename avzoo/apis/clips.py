"""The clips that a model is asked about: from arrays, npz files, folders or a feature store."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.importers.array_features import ArrayFeatures
from avzoo.datasets.safe_pickle import load_npz
from avzoo.utils.errors import DataError, nearest

Clip = Mapping[str, np.ndarray]


class Clips:
    """Look up clips by their id, one after the other.

    Args:
        source: One clip or several, as
            a mapping {modality: (T, D)}; a list of them;
            an ``.npz`` file with the arrays ``audio`` and ``visual`` of one clip, or of many (see ``ArrayFeatures``);
            a folder of such one-clip files, also in subfolders; a folder ``audio/ID.npy``, ``visual/ID.npy``;
            or a feature store.

    Attributes:
        ids (list[str]): Their names, in order.
    """

    def __init__(self, source: str | os.PathLike | Clip | Sequence[Clip]) -> None:
        self._origin = 'the clips'
        if isinstance(source, Mapping):
            source = [source]
        if not isinstance(source, str | os.PathLike):
            self.ids = [str(i) for i in range(len(source))]
            self._read = lambda name: source[int(name)]
            return
        path = Path(source)
        self._origin = str(path)
        if not path.exists():
            raise DataError(f'There are no features at {path}: name an .npz file, a folder of them, or a store.')
        if (path / 'store.json').is_file():
            self._open_store(FeatureStore(path))
        elif path.is_dir() and not any((path / key).is_dir() for key in ('audio', 'visual')):
            self._open_folder(path)
        else:
            self._open_arrays(path)

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, name: str) -> dict[str, np.ndarray]:
        """Return the clip {modality: (T, D)} of an id."""
        return dict(self._read(name))

    def choose(self, wanted: Iterable[str] | None) -> list[str]:
        """Return the wanted ids after a check that they exist; all where ``None`` is wanted."""
        wanted = self.ids if wanted is None else list(wanted)
        known = set(self.ids)
        for name in wanted:
            if name not in known:
                raise DataError(f"{self._origin} has no video '{name}'; it has {len(known)}."
                                f'{nearest(name, self.ids[:5000])}')
        return list(wanted)

    def _open_store(self, store: FeatureStore) -> None:
        self.ids = [str(name) for name in store.video_ids]
        places = {name: i for i, name in enumerate(self.ids)}
        self._read = lambda name: {m: store.gather(m, np.array([places[name]]))[0][0].numpy()
                                   for m in store.modalities}

    def _open_folder(self, path: Path) -> None:
        files = {file.relative_to(path).with_suffix('').as_posix(): file for file in sorted(path.rglob('*.npz'))}
        if not files:
            raise DataError(f'{path} holds no .npz files, no folders audio/ and visual/, and is no feature store.')
        self.ids = list(files)
        self._read = lambda name: read_clip(files[name])

    def _open_arrays(self, path: Path) -> None:
        if path.is_file() and 'video_id' not in (content := load_npz(path)):
            clip = _checked(content, path)
            self.ids = [path.stem]
            self._read = lambda name: clip
            return
        arrays = ArrayFeatures(path)
        if path.is_dir():
            self.ids = sorted(file.relative_to(path / arrays.modalities[0]).with_suffix('').as_posix()
                              for file in (path / arrays.modalities[0]).rglob('*.npy'))
            missing = arrays.missing(self.ids)
            if missing:
                raise DataError(f'{path}: video {missing[0]!r} lacks one of {", ".join(arrays.modalities)}.')
        else:
            self.ids = list(arrays.video_ids)
        self._read = arrays.read


def read_clip(path: Path) -> dict[str, np.ndarray]:
    """Read one clip {modality: (T, D)} from an ``.npz`` file."""
    return _checked(load_npz(path), path)


def _checked(content: Mapping[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    clip = {key: content[key] for key in ('audio', 'visual') if key in content}
    if not clip:
        raise DataError(f'{path} has the arrays {", ".join(content) or "none"}; audio and visual are needed, (T, D).')
    return {key: array[None] if array.ndim == 1 else array for key, array in clip.items()}


def make_batch(clips: Sequence[Clip], dims: Mapping[str, int], names: Sequence[str]) -> dict[str, Any]:
    """Pad clips to a batch as the data preprocessor takes it.

    Args:
        clips: B clips.
        dims: {modality: width} that the model was trained with; other modalities are left out.
        names: Their ids, for errors.
    """
    features = {}
    for modality, dim in dims.items():
        arrays = [_sequence(clip, modality, dim, name) for clip, name in zip(clips, names, strict=True)]
        lengths = torch.tensor([len(array) for array in arrays])
        x = torch.zeros(len(arrays), int(lengths.max()), dim)  # (B, T, D)
        for row, array in zip(x, arrays, strict=True):
            row[:len(array)] = torch.from_numpy(array)
        features[modality] = dict(x=x, lengths=lengths, starts=torch.zeros_like(lengths))
    return dict(features=features)


def batches(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Cut names into batches."""
    return (names[i:i + size] for i in range(0, len(names), size))


def _sequence(clip: Clip, modality: str, dim: int, name: str) -> np.ndarray:
    if modality not in clip:
        raise DataError(f"Clip '{name}' has no {modality} features, which this model needs; it has {', '.join(clip)}.")
    array = np.asarray(clip[modality])
    if array.ndim != 2 or array.shape[1] != dim or not len(array) or array.dtype.kind not in 'biuf':
        raise DataError(f"Clip '{name}': its {modality} features are {array.dtype} of shape {array.shape}; this model "
                        f'was trained on (steps, {dim}) numbers with at least one step.')
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"Clip '{name}': NaN or infinity in its {modality} features. Extract them again.")
    return array
