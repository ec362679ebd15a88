"""Features in a folder, with one file for each video and modality."""

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from avzoo.datasets.store_format import check_paths, stays_inside
from avzoo.importers.array_layouts import check_words
from avzoo.importers.clip_files import open_clip_files
from avzoo.protocol import MODALITIES
from avzoo.readers.safe_pickle import load_npy
from avzoo.utils.errors import DataError
from avzoo.utils.leftovers import files_below, is_leftover

_LOGGER = logging.getLogger(__name__)


class FolderFeatures(Mapping[str, np.ndarray]):
    """Arrays of one modality by video id, each read on access.

    Args:
        folder: Holds ``VIDEO_ID.npy``. An id may have slashes; one that leads out of the folder is refused.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, video: str) -> np.ndarray:
        check_paths([video], f'{self._folder.parent}: video')
        return load_npy(self._file(video))

    def __contains__(self, video: object) -> bool:
        return isinstance(video, str) and stays_inside(video) and os.path.isfile(self._file(video))

    def __iter__(self) -> Iterator[str]:
        for file in files_below(self._folder, '*.npy'):
            yield file.relative_to(self._folder).with_suffix('').as_posix()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _file(self, video: str) -> Path:
        return self._folder / f'{video}.npy'


def open_folder(path: Path) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Return the features of each modality that a folder has.

    Raises:
        DataError: It has none, or a folder whose name is likely meant to be that of a modality.
    """
    names = sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not is_leftover(entry.name))
    check_words(path, (name for name in names if name not in MODALITIES), 'folder')
    found = [key for key in MODALITIES if key in names]
    if not found and (clips := open_clip_files(path)):
        return clips
    if not found:
        raise DataError(
            f'{path} has neither a folder audio nor a folder visual, nor .npz files of clips. Put the features of a '
            'video in audio/VIDEO_ID.npy and visual/VIDEO_ID.npy, or as arrays audio and visual in VIDEO_ID.npz.'
        )
    if len(found) > 1 and os.path.samefile(*(path / key for key in found)):
        raise DataError(f'{path}: {" and ".join(found)} are the same folder. Give each its own.')
    for key in found:
        _check_forms(path / key)
    for name in names:
        if name not in found and next(iter(FolderFeatures(path / name)), None) is not None:
            _LOGGER.warning('%s has .npy files, which are ignored; only audio and visual are read', path / name)
    return {key: FolderFeatures(path / key) for key in found}


def _check_forms(folder: Path) -> None:
    """Refuse a folder that has files, but none that is read."""
    if next(iter(FolderFeatures(folder)), None) is None and (others := files_below(folder, '*.*')):
        raise DataError(
            f'{folder} has no .npy file, but {others[0].name!r}. Save each video with numpy.save(VIDEO_ID.npy).'
        )
