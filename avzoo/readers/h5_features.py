"""Features of an HDF5 file with an array for each video, read one video at a time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.readers.h5_arrays import naming_damage, open_h5, read_datasets, read_h5
from avzoo.utils.errors import DataError


class H5Features(Mapping[str, np.ndarray]):
    """Arrays of one modality by video id; the file is open only while one of them is read.

    Args:
        path: The file.
        names: Video id -> name of its data set.
    """

    def __init__(self, path: Path, names: Mapping[str, str]) -> None:
        self._path, self._names = path, names

    def __getitem__(self, video: str) -> np.ndarray:
        name = self._names[video]
        return read_h5(self._path, [name])[name]

    def __contains__(self, video: object) -> bool:
        return video in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def read_h5_layout(path: Path, keys: Collection[str]) -> dict[str, Any]:
    """Return the arrays at the root of a file; or {key: its arrays by video id}, which are read later.

    The latter are ``KEY/VIDEO_ID`` or ``VIDEO_ID/KEY``. Links to other files are skipped.

    Args:
        path: The file.
        keys: Modalities; groups of other names are returned too.

    Raises:
        DataError: As for :func:`read_h5`, and if one modality is an array and another has one for each video.
    """
    names: list[str] = []
    with open_h5(path) as file:
        with naming_damage(path):
            # Unlike iteration, this follows no links.
            file.visititems(lambda name, item: names.append(name) if hasattr(item, 'dtype') else None)
        nested = _by_video(names, keys)
        if not nested:
            return dict(read_datasets(file, names, path))
    whole = [name for name in names if name in keys]
    if whole:
        raise DataError(
            f'{path}: {whole[0]} is one array, and {min(nested)} has one for each video. Save both in the same way.'
        )
    return {key: H5Features(path, by_id) for key, by_id in nested.items()}


def _by_video(names: Sequence[str], keys: Collection[str]) -> dict[str, dict[str, str]]:
    """Return {key: {video id: name}} of the names that are ``KEY/VIDEO_ID`` or ``VIDEO_ID/KEY``."""
    inner = [name for name in names if '/' in name]
    by_first = any(name.partition('/')[0] in keys for name in inner)
    nested: dict[str, dict[str, str]] = {}
    for name in inner:
        first, _, rest = name.partition('/')
        start, _, last = name.rpartition('/')
        key, item = (first, rest) if by_first else (last, start)
        nested.setdefault(key, {})[item] = name
    return nested
