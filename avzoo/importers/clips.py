"""The clips that a model classifies: from arrays, npz files, folders or a feature store."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.store_format import number_problem, unmasked
from avzoo.importers.array_features import OTHER_FORMS, ArrayFeatures
from avzoo.importers.array_layouts import as_numbers, check_words
from avzoo.importers.clip_files import array_names
from avzoo.importers.video_ids import MEDIA_SUFFIXES
from avzoo.protocol import MODALITIES
from avzoo.readers.safe_pickle import load_npz
from avzoo.utils.errors import DataError, first_line, nearest
from avzoo.utils.leftovers import files_below

Clip = Mapping[str, np.ndarray]


class ClipReader:
    """Read clips by their id, one at a time.

    Args:
        source: One clip or several, as
            a mapping {modality: (T, D)}; a list of them;
            an ``.npz`` file with the arrays ``audio`` and ``visual`` of one clip;
            a file of many clips, or a folder ``audio/ID.npy``, ``visual/ID.npy``, see ``ArrayFeatures``;
            a folder of one-clip files, also in subfolders;
            or a feature store, open or by its path.

    Attributes:
        ids (list[str]): Their names, in order.
        store (FeatureStore | None): The feature store that they are read from, if it is one.
    """

    def __init__(self, source: str | os.PathLike[str] | FeatureStore | Clip | Sequence[Clip]) -> None:
        self._origin = 'the clips'
        self.store: FeatureStore | None = None
        if isinstance(source, str | os.PathLike):
            self._open_path(Path(source))
        elif isinstance(source, FeatureStore):
            self._open_store(source)
        else:
            self._open_memory([source] if isinstance(source, Mapping) else source)

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, name: str) -> dict[str, np.ndarray]:
        """Return the clip {modality: (T, D)} of an id."""
        return dict(self._read(name))

    def read_many(self, names: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
        """Return clips by their ids; those of a feature store are gathered at once."""
        store = self.store
        if store is None:
            return {name: self.read(name) for name in names}
        videos = np.array([self._places[name] for name in names], np.int64)
        found = {m: store.gather(m, videos)[0].numpy() for m in store.modalities}  # (B, T, D) each
        steps = {m: store.lengths[m][videos] for m in found}
        return {name: {m: x[i, : steps[m][i]] for m, x in found.items()} for i, name in enumerate(names)}

    def by_length(self, names: Sequence[str]) -> list[str]:
        """Return ids sorted by clip length, where it is known, so that batches have little padding."""
        store = self.store
        if store is None:
            return list(names)
        longest = np.max(list(store.lengths.values()), axis=0)
        return sorted(names, key=lambda name: longest[self._places[name]])

    def choose(self, wanted: Iterable[str] | None) -> list[str]:
        """Return the wanted ids after checking that they exist; ``None`` returns all."""
        if isinstance(wanted, str | int):
            wanted = [str(wanted)]
        wanted = self.ids if wanted is None else [str(name) for name in wanted]
        known = set(self.ids)
        for name in wanted:
            if name not in known:
                raise DataError(
                    f"{self._origin} has no video '{name}'; it has {len(known)}.{nearest(name, self.ids[:5000])}"
                )
        return list(wanted)

    def _open_memory(self, clips: Sequence[Clip]) -> None:
        if not isinstance(clips, list | tuple) or not all(isinstance(clip, Mapping) for clip in clips):
            raise DataError(
                f'A {type(clips).__name__} of this kind is not a clip. Give a dict {{modality: (T, D)}}, a '
                'list of such dicts, a feature store, or the path of a file, a folder or a store.'
            )
        self.ids = [str(i) for i in range(len(clips))]
        self._read = lambda name: clips[int(name)]

    def _open_path(self, path: Path) -> None:
        self._origin = str(path)
        if not path.exists():
            raise DataError(f'{path} does not exist. Give an .npz file, a folder of them, or a feature store.')
        if path.suffix.lower() in MEDIA_SUFFIXES and path.is_file():
            raise DataError(
                f'{path} is a video, not its features. Give it to tools/predict.py with --video, in Python to '
                'avzoo.apis.video_answers.classify_videos.'
            )
        if (path / 'store.json').is_file():
            self._open_store(FeatureStore(path))
        elif not path.is_dir():
            self._open_file(path)
        elif not any((path / key).is_dir() for key in MODALITIES) and (files := files_below(path, '*.npz')):
            by_id = {file.relative_to(path).with_suffix('').as_posix(): file for file in files}
            self.ids, self._read = list(by_id), lambda name: read_clip(by_id[name])
        else:
            self._open_arrays(path)

    def _open_store(self, store: FeatureStore) -> None:
        self._origin, self.store = str(store.root), store
        self.ids = [str(name) for name in store.video_ids]
        self._places = {name: i for i, name in enumerate(self.ids)}
        self._read = lambda name: self.read_many([name])[name]

    def _open_file(self, path: Path) -> None:
        if path.suffix.lower() in OTHER_FORMS or 'video_id' in array_names(path):  # Of many clips.
            self._open_arrays(path)
        else:
            clip = read_clip(path)
            self.ids, self._read = [path.stem], lambda _: clip

    def _open_arrays(self, path: Path) -> None:
        arrays = ArrayFeatures(path)
        self.ids, self._read = arrays.video_ids, arrays.read
        if not self.ids:
            raise DataError(f'{path} has no {" or ".join(arrays.modalities)} features for any video. Add some.')


def read_clip(path: Path) -> dict[str, np.ndarray]:
    """Read one clip {modality: (T, D)} from an ``.npz`` file."""
    return _checked(load_npz(path), path)


def _checked(content: Mapping[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    clip = {key: content[key] for key in MODALITIES if key in content}
    check_words(path, (key for key in content if key not in clip), 'entry')
    if not clip:
        raise DataError(f'{path} has the arrays {", ".join(content) or "none"}; audio and visual are needed, (T, D).')
    for key, array in clip.items():
        try:
            clip[key] = array = as_numbers(array)
        except ValueError:
            raise DataError(
                f'{path}: {key} has rows of unequal width; (T, D) is needed, or (D,) for one step.'
            ) from None
        if array.ndim not in (1, 2):
            raise DataError(f'{path}: {key} has shape {array.shape}; (T, D) is needed, or (D,) for one step.')
    return {key: array[None] if array.ndim == 1 else array for key, array in clip.items()}


def check_clips(clips: Sequence[Clip], dims: Mapping[str, int], names: Sequence[str]) -> dict[str, list[np.ndarray]]:
    """Return the features of clips as model input, {modality: B arrays (T, D) float32}.

    Args:
        clips: B clips.
        dims: {modality: width} that the model was trained with; other modalities are left out.
        names: Their ids, for errors.

    Raises:
        DataError: If a clip lacks a modality, or its features are not finite numbers of that width.
    """
    return {
        modality: [_sequence(clip, modality, dim, name) for clip, name in zip(clips, names, strict=True)]
        for modality, dim in dims.items()
    }


def batches(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Cut names into batches."""
    return (names[i : i + size] for i in range(0, len(names), size))


def _sequence(clip: Clip, modality: str, dim: int, name: str) -> np.ndarray:
    if modality not in clip:
        raise DataError(f"Clip '{name}' has no {modality} features, which this model needs; it has {', '.join(clip)}.")
    try:
        array = unmasked(clip[modality])
    except (ValueError, TypeError) as error:  # Ragged lists; tensors on a device.
        raise DataError(
            f"Clip '{name}': its {modality} features are not an array: {first_line(error).rstrip('.')}. Give "
            f'(steps, {dim}) numbers.'
        ) from error
    if array.ndim != 2 or array.shape[1] != dim or not len(array) or array.dtype.kind not in 'biuf':
        raise DataError(
            f"Clip '{name}': its {modality} features are {array.dtype} of shape {array.shape}; this model "
            f'was trained on (steps, {dim}) numbers with at least one step.'
            + (' It looks like (width, steps): transpose it.' if array.shape[:1] == (dim,) and array.ndim == 2 else '')
        )
    if problem := number_problem(array):
        raise DataError(f"Clip '{name}': {problem} in its {modality} features. Extract them again.")
    return array.astype(np.float32)
