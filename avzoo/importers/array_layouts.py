"""The layouts of features in one file, all brought to the same form: modality, video, its array."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.datasets.store_format import check_names
from avzoo.importers.array_files import HOW_TO_SAVE
from avzoo.protocol import MODALITIES
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest

_COLUMNS = ('video_id', 'label', *MODALITIES, *(f'{key}_len' for key in MODALITIES))
# What an array or a folder is called here -> what others call it
_MEANINGS: Mapping[str, Sequence[str]] = dict(
    visual=('video', 'vision', 'visuals', 'image', 'images', 'frames', 'rgb', 'visual_features', 'video_features'),
    audio=('audios', 'sound', 'sounds', 'wav', 'audio_features'),
    video_id=(
        'id',
        'ids',
        'video_ids',
        'videos',
        'name',
        'names',
        'video_name',
        'video_names',
        'filename',
        'youtube_id',
    ),
    label=('labels', 'class', 'classes', 'y', 'target', 'targets'),
)


@dataclass(frozen=True)
class Arrays:
    """Features of videos.

    Attributes:
        values: Modality -> video id -> its features, as they were saved.
        labels: Video id -> its label, where the file has them.
    """

    values: Mapping[str, Mapping[str, Any]]
    labels: Mapping[str, str] = field(default_factory=dict)


def as_numbers(values: Any) -> np.ndarray:
    """Return values as an array, of numbers where sequences of equal length are stored as Python objects.

    Raises:
        ValueError: The sequences are of unequal length.
    """
    array = np.asarray(values)
    return np.array(array.tolist()) if array.dtype == object else array


def check_words(path: Path, names: Iterable[str], what: str) -> None:
    """Refuse names that are likely misspelled; they would be ignored silently.

    Args:
        path: File that they are in.
        names: Names that are not known.
        what: Kind of what they name.
    """
    for name in names:
        lower = str(name).lower()
        meaning = next((word for word, others in _MEANINGS.items() if lower in (word, *others)), None)
        if meaning in MODALITIES or (meaning and what == 'array'):
            raise DataError(
                f"{path}: the {what} {name!r} would be ignored. Did you mean '{meaning}'? Rename or remove it."
            )


def arrange(path: Path, content: Any) -> Arrays:
    """Bring the content of a file to one form.

    Args:
        path: The file, for errors.
        content: Columns ``video_id``, ``audio``, ``visual``; a dict of each modality by video id; a dict of each video
            by modality; or a list of such dicts, each with its ``video_id``.
    """
    if isinstance(content, list) and content and all(isinstance(entry, Mapping) for entry in content):
        content = _by_their_ids(path, content)
    if not isinstance(content, Mapping) or not content:
        raise DataError(f'{path} holds {type(content).__name__} without names. {HOW_TO_SAVE}')
    if not all(isinstance(value, Mapping) for value in content.values()):
        return _from_columns(path, content)
    if any(key in MODALITIES for key in content):
        check_words(path, (key for key in content if key not in _COLUMNS), 'array')
        values = {key: _with_text_ids(path, content[key]) for key in MODALITIES if key in content}
        return Arrays(values, _labels(path, _with_text_ids(path, content.get('label', {}))))
    return _from_videos(path, content)


def _from_videos(path: Path, content: Mapping[Any, Mapping[str, Any]]) -> Arrays:
    videos = _with_text_ids(path, content)
    others = dict.fromkeys(key for entry in videos.values() for key in entry if key not in _COLUMNS)
    check_words(path, others, 'array')
    values = {key: {v: entry[key] for v, entry in videos.items() if key in entry} for key in MODALITIES}
    if not any(values.values()):
        raise DataError(f'{path} has {", ".join(map(repr, [*videos][:3]))} without audio or visual. {HOW_TO_SAVE}')
    labels = _labels(path, {video: entry['label'] for video, entry in videos.items() if 'label' in entry})
    return Arrays({key: by_id for key, by_id in values.items() if by_id}, labels)


def _labels(path: Path, by_id: Mapping[str, Any]) -> dict[str, str]:
    return dict(zip(by_id, _texts(path, 'label', _column([*by_id.values()])), strict=True))


def _by_their_ids(path: Path, entries: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    if not all('video_id' in entry for entry in entries):
        check_words(path, (key for key in entries[0] if key not in _COLUMNS), 'array')
        raise DataError(f'{path} is a list of dicts without video_id. {HOW_TO_SAVE}')
    check_names([str(entry['video_id']) for entry in entries], f'{path}: video')
    return {str(entry['video_id']): entry for entry in entries}


def _with_text_ids(path: Path, by_id: Mapping[Any, Any]) -> Mapping[str, Any]:
    if all(isinstance(video, str) for video in by_id):
        return by_id
    ids = _texts(path, 'video_id', np.array(list(by_id), object))
    check_names(ids, f'{path}: video')  # 1 and '1' are one.
    return dict(zip(ids, by_id.values(), strict=True))


def _from_columns(path: Path, content: Mapping[str, Any]) -> Arrays:
    odd = [key for key in content if key not in _COLUMNS]
    check_words(path, odd, 'array')
    if odd:
        raise DataError(
            f'{path}: unknown array {odd[0]!r}; known are {", ".join(_COLUMNS)}.' + nearest(odd[0], _COLUMNS)
        )
    found = [key for key in MODALITIES if key in content]
    if 'video_id' not in content or not found:
        raise DataError(f'{path} has {", ".join(content)}; video_id and at least one of audio, visual are needed.')
    columns = {key: _column(value) for key, value in content.items()}
    ids = _texts(path, 'video_id', columns['video_id'])
    check_names(ids, f'{path}: video')
    labels = _texts(path, 'label', columns['label']) if 'label' in content else None
    if labels is not None and len(labels) != len(ids):
        raise DataError(
            f'{path}: {number_of(len(labels), "label")} for {number_of(len(ids), "video")}; each needs one.'
        )
    values = {key: _split(path, key, columns[key], columns.get(f'{key}_len'), len(ids)) for key in found}
    return Arrays(
        {key: dict(zip(ids, one, strict=True)) for key, one in values.items()},
        dict(zip(ids, labels or (), strict=bool(labels))),
    )


def _column(value: Any) -> np.ndarray:
    """Return a column as an array; a list of sequences is one of objects, of one item for each video."""
    if isinstance(value, np.ndarray):
        return value
    if not isinstance(value, list | tuple) or all(isinstance(item, str | int | float) for item in value):
        return np.asarray(value)
    array = np.empty(len(value), object)
    for i, item in enumerate(value):
        array[i] = item
    return array


def _texts(path: Path, name: str, array: np.ndarray) -> list[str]:
    """Return an array of names or of whole numbers (N,) as text."""
    items = [item.item() if isinstance(item, np.generic) else item for item in array] if array.ndim == 1 else [None]
    try:
        items = [item.decode() if isinstance(item, bytes) else item for item in items]
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: {name} holds bytes that are not UTF-8 ({error}). Save it as text.') from None
    if not all(isinstance(item, str | int) for item in items):
        raise DataError(
            f'{path}: {name} is {array.dtype} of shape {array.shape}; an array (N,) of text or of '
            'whole numbers is needed.'
        )
    return list(map(str, items))


def _split(
    path: Path, key: str, array: np.ndarray, lengths: np.ndarray | None, num_videos: int
) -> Sequence[np.ndarray]:
    """Cut an array into one sequence per video."""
    if lengths is not None:
        lengths = lengths.ravel() if lengths.ndim == 2 and 1 in lengths.shape else lengths  # MATLAB has no vectors.
        whole = lengths.dtype.kind in 'iu' and lengths.shape == (num_videos,) and array.ndim == 2
        # Each length is checked too: the sum of huge ones might overflow to the right number.
        if not whole or (lengths < 1).any() or (lengths > len(array)).any() or lengths.sum() != len(array):
            raise DataError(
                f'{path}: {key}_len ({lengths.dtype} of shape {lengths.shape}) must hold a whole '
                f'number of at least 1 for each of the {num_videos} videos, and add up to the rows '
                f'of {key}, shape {array.shape}.'
            )
        return np.split(array, np.cumsum(lengths)[:-1])
    if array.ndim not in (1, 2, 3) or len(array) != num_videos or (array.ndim == 1 and array.dtype != object):
        raise DataError(
            f'{path}: {key} has shape {array.shape} for {number_of(num_videos, "video")}. Give (N, D), (N, T, D), an '
            f'object array of N sequences, or all steps one after the other with {key}_len.'
        )
    return list(array)
