"""Read the class of each video: from one table, or from a folder with one folder per class."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from avzoo.datasets.splits import LIST_COLUMNS, LIST_NAMES
from avzoo.datasets.store_format import check_names
from avzoo.readers.csv_columns import read_columns
from avzoo.readers.time_columns import TIME_COLUMNS
from avzoo.utils.errors import DataError
from avzoo.utils.leftovers import is_leftover
from avzoo.utils.spelling import spellings

# The table of an extraction has the id of a clip and, beside it, the file.
CLASS_COLUMNS = {**LIST_COLUMNS, 'filename': ('video_id', 'video', *LIST_COLUMNS['filename'])}


@dataclass(frozen=True)
class ClassTable:
    """The class of each video.

    Args:
        path: Where they were read.
        labels: Video -> class.
        groups: Video -> its group, e.g. the recording that it was cut from. A video that is not in it has none.
        parts: The videos that have times other than 0 beside them.
    """

    path: Path
    labels: Mapping[str, str]
    groups: Mapping[str, str] = field(default_factory=dict)
    parts: Sequence[str] = ()

    @property
    def classes(self) -> dict[str, list[str]]:
        """Class -> its sorted videos, the classes sorted by name."""
        found: dict[str, list[str]] = {label: [] for label in sorted(set(self.labels.values()))}
        for video in sorted(self.labels):
            found[self.labels[video]].append(video)
        return found


def read_class_table(path: str | os.PathLike[str]) -> ClassTable:
    """Read a table or a folder.

    Args:
        path: A table with at least a column of videos and one of labels (see ``LIST_COLUMNS``), and optionally
            ``group``; or a folder with one folder per class, whose files, without their suffix, are the videos.

    Raises:
        DataError: There is no such table, a video occurs twice, or a class has two spellings.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f'{path} does not exist. Give a table with columns video and label, or a folder of classes.')
    if path.is_dir():
        rows = _read_folder(path)
    else:
        rows = read_columns(path, {**CLASS_COLUMNS, **TIME_COLUMNS}, optional=['group', *TIME_COLUMNS])
    if not rows:
        raise DataError(f'{path} has no video: there is no row below its first line. Add one for each video.')
    check_names([video for video, *_ in rows], f'{path}: video')
    check_names(list({label for _, label, *_ in rows}), f'{path}: class')
    for one, other in spellings(label for _, label, *_ in rows):
        raise DataError(
            f'{path}: classes {one!r} and {other!r} (as text: {one!a} and {other!a}) differ only in spelling. '
            'Spell a class the same way in all rows; rename one of them if they are two classes.'
        )
    groups = {video: group.strip() for video, _, group, *_ in rows if group.strip()}
    parts = [video for video, _, _, *times in rows if re.search('[1-9]', ' '.join(times))]
    return ClassTable(path, {video: label for video, label, *_ in rows}, groups, parts)


def _read_folder(path: Path) -> list[list[str]]:
    if any((path / f'{name}.csv').is_file() for name in LIST_NAMES) or (path / 'cls_split').is_dir():
        raise DataError(f'{path} already has lists of divided classes. Leave out --novel and --base.')
    found: dict[str, str] = {}
    for folder in sorted(entry for entry in path.iterdir() if entry.is_dir() and not is_leftover(entry.name)):
        # A sound and a picture file of one name are one video.
        videos = {entry.stem for entry in folder.iterdir() if entry.is_file() and not is_leftover(entry.name)}
        if not videos:
            raise DataError(f'{folder} has no file. A class is a folder of video files; remove this one.')
        for video in sorted(videos):
            if video in found:
                raise DataError(
                    f'{path}: {found[video]} and {folder.name} both have a file {video!r}. Video names must '
                    'be unique; rename one.'
                )
            found[video] = folder.name
    if not found:
        raise DataError(
            f'{path} has no class folders. Give a table with columns video and label, or a folder with one folder '
            'of files per class.'
        )
    return [[video, label, ''] for video, label in found.items()]
