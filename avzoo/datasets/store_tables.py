"""The tables and lists of a feature store, read once for everything in a process that opens it."""

import os
import threading
import time
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.datasets.store_files import read_videos
from avzoo.datasets.store_format import check_names, read_csv, read_lines
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest

_SETTLED = 2 * 10**9  # Nanoseconds after which a change would show in the time of a file, on any file system.
_MOST_KEPT = 4  # Stores: training, another to adapt to, and two more.
_Stamps = tuple[tuple[int, ...], ...]


class StoreTables:
    """Classes, videos and split lists of a store; its arrays are read-only, since many may use them.

    Args:
        root: Folder of the store.
        meta: The content of its ``store.json``.
    """

    def __init__(self, root: Path, meta: Mapping[str, Any]) -> None:
        classes = read_csv(root / 'classes.csv', ['label', 'text'])
        self.class_names = [label for label, _ in classes]
        check_names(self.class_names, f'{root / "classes.csv"}: class')
        self.class_texts = [text for _, text in classes]
        check_names(list(set(filter(None, self.class_texts))), f'{root / "classes.csv"}: class text')
        self.video_ids, self.labels, self.offsets, self.lengths = read_videos(root, dict(meta), self.class_names)
        for array in (self.video_ids, self.labels, *self.offsets.values(), *self.lengths.values()):
            array.flags.writeable = False
        self._splits: dict[Path, tuple[_Stamps | None, np.ndarray]] = {}

    def __deepcopy__(self, memo: dict) -> 'StoreTables':
        return self  # mmengine copies a data set when it builds its loader.

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {video: i for i, video in enumerate(self.video_ids.tolist())}

    def split(self, path: Path) -> np.ndarray:
        """Return the videos of a list as positions in ``video_ids``, (n,) int64."""
        stamps, (known, videos) = _stamps_of(path), self._splits.get(path, (None, np.empty(0)))
        if stamps is None or stamps != known:
            videos = self._read_split(path)
            self._splits[path] = stamps, videos
        return videos.copy()

    def _read_split(self, path: Path) -> np.ndarray:
        ids = read_lines(path)
        unknown = [video for video in ids if video not in self._positions]
        if unknown:
            raise DataError(
                f'{path}: the store lacks {len(unknown)} of {number_of(len(ids), "video")}, the first is '
                f'{unknown[0][:200]!r}. Add their features or draw the splits again.'
                + nearest(unknown[0], self._positions if len(self._positions) < 5000 else ())
            )
        if len(set(ids)) != len(ids):
            twice = next(video for video, count in Counter(ids).items() if count > 1)
            raise DataError(f'{path}: video {twice!r} is listed twice. Remove one line.')
        return np.fromiter((self._positions[video] for video in ids), np.int64, len(ids))


def tables_of(root: Path, meta: Mapping[str, Any]) -> StoreTables:
    """Return the tables of a store; they are read again only if a file has changed."""
    stamps = _stamps_of(*(root / name for name in ('store.json', 'classes.csv', 'videos.csv')))
    if stamps is None:
        return StoreTables(root, meta)
    key = os.path.abspath(root), stamps  # Some file systems give every file the same number.
    with _lock:
        found = _kept.pop(key, None) or StoreTables(root, meta)
        _kept[key] = found  # As the newest.
        if len(_kept) > _MOST_KEPT:
            del _kept[next(iter(_kept))]
    return found


def _stamps_of(*paths: Path) -> _Stamps | None:
    """Return a value that changes when a file does; ``None`` if one is missing, or so new that it might not change."""
    try:
        stats = [os.stat(path) for path in paths]
    except OSError:
        return None
    # A copy may keep the time of modification, but not that of the last change of any kind.
    if time.time_ns() - max(max(stat.st_mtime_ns, stat.st_ctime_ns) for stat in stats) < _SETTLED:
        return None
    return tuple((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for stat in stats)


_kept: dict[tuple[str, _Stamps], StoreTables] = {}
_lock = threading.Lock()
