"""Features in a folder, with one ``.npz`` file for each video."""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from avzoo.datasets.store_format import check_paths, stays_inside
from avzoo.importers.array_layouts import check_words
from avzoo.protocol import MODALITIES
from avzoo.readers.safe_pickle import load_npz
from avzoo.readers.zip_checks import ZIP_ERRORS
from avzoo.utils.errors import DataError
from avzoo.utils.leftovers import files_below
from avzoo.utils.regular_files import open_regular

_LOOKED_AT = 200  # Files that say which modalities there are.


class ClipFiles(Mapping[str, np.ndarray]):
    """Arrays of one modality by video id, each read on access.

    Args:
        folder: Holds ``VIDEO_ID.npz`` with arrays ``audio`` and ``visual``.
        modality: Which of them.
        read: Returns the arrays of a file.
    """

    def __init__(self, folder: Path, modality: str, read: Callable[[Path], Mapping[str, np.ndarray]]) -> None:
        self._folder, self._modality, self._read = folder, modality, read

    def __getitem__(self, video: str) -> np.ndarray:
        check_paths([video], f'{self._folder}: video')
        return self._read(self._file(video))[self._modality]

    def __contains__(self, video: object) -> bool:
        if not isinstance(video, str) or not stays_inside(video) or not self._file(video).is_file():
            return False
        names = array_names(self._file(video))
        return not names or self._modality in names  # A damaged file is reported when it is read.

    def __iter__(self) -> Iterator[str]:
        for file in files_below(self._folder, '*.npz'):
            yield file.relative_to(self._folder).with_suffix('').as_posix()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _file(self, video: str) -> Path:
        return self._folder / f'{video}.npz'


def open_clip_files(folder: Path) -> dict[str, ClipFiles]:
    """Return the features of each modality that files of a folder have; none if there are no such files.

    Raises:
        DataError: The name of an array is likely a misspelled modality.
    """
    files = files_below(folder, '*.npz')
    found: set[str] = set()
    for file in files[:: -(-len(files) // _LOOKED_AT) or 1]:
        names = array_names(file)
        check_words(file, (name for name in names if name not in MODALITIES), 'entry')
        found |= names
    # Both modalities of a video are read at once, one after the other.
    read = lru_cache(maxsize=1)(_read)
    return {key: ClipFiles(folder, key, read) for key in MODALITIES if key in found}


def _read(file: Path) -> dict[str, np.ndarray]:
    content = load_npz(file)
    check_words(file, (name for name in content if name not in MODALITIES), 'entry')
    return content


def array_names(file: Path) -> set[str]:
    """Return the names of the arrays of an ``.npz`` file without unpacking it; none if it is damaged."""
    try:
        with open_regular(file) as opened, zipfile.ZipFile(opened) as archive:
            return {name.removesuffix('.npy') for name in archive.namelist()}
    except (*ZIP_ERRORS, OSError, DataError):
        return set()
