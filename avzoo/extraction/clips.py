"""Which clips are extracted: a file, a folder, or a table."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path

from avzoo.datasets.splits import LIST_COLUMNS
from avzoo.datasets.store_format import check_names, check_paths
from avzoo.importers.class_table import CLASS_COLUMNS
from avzoo.importers.video_ids import MEDIA_SUFFIXES
from avzoo.readers.csv_columns import read_numbered
from avzoo.readers.time_columns import TIME_COLUMNS, seconds_of
from avzoo.utils.errors import DataError, shortened
from avzoo.utils.leftovers import is_leftover

_LOGGER = logging.getLogger(__name__)
_TABLES = ('.csv', '.tsv')
_LONGEST = 1e6  # Seconds.
# Unlike a list, a table may have ids in addition to file names.
_FILES = ('filename', 'file', 'file_name', 'path', 'filepath', 'file_path', 'video_path', 'video')
_COLUMNS = {
    **LIST_COLUMNS,
    'filename': tuple(dict.fromkeys((*_FILES, *LIST_COLUMNS['filename']))),
    **TIME_COLUMNS,
    'video': CLASS_COLUMNS['filename'],
}


class NoVideos(DataError):
    """None of the files at a path is a video."""


@dataclass(frozen=True)
class Clip:
    """A video, or a part of one.

    Attributes:
        id: Name of its features' files.
        path: The video; a string becomes a path.
        label: Its class, or ''.
        start: Where it begins, in seconds.
        end: Where it ends, in seconds, or ``None`` for the end of the video.
        group: What similar clips have in common, such as the video that they are parts of, or ''. A clip is not
            used for evaluation after training on others of its group.

    Raises:
        DataError: If the times are not seconds, or do not define a part.
    """

    id: str
    path: Path
    label: str = ''
    start: float = 0.0
    end: float | None = None
    group: str = ''

    def __post_init__(self) -> None:
        object.__setattr__(self, 'path', Path(self.path))  # Accepts a string, too.
        times = (self.start, _LONGEST if self.end is None else self.end)
        if not all(isinstance(time, Real) for time in times) or not 0 <= times[0] < times[1] <= _LONGEST:
            part = f'from {self.start} s to {"the end" if self.end is None else f"{self.end} s"} of {self.path.name}'
            raise DataError(
                f'a clip {part} is impossible. Give start < end <= 1e6 in seconds from the beginning of the video.'
            )

    @property
    def name(self) -> str:
        """The path of the video and, for a part, where it begins."""
        return f'{self.path}' + (f' from {self.start:g} s' if self.start or self.end is not None else '')


def names_of_clips(clips: Sequence[Clip]) -> list[str]:
    """Return the names of clips; several clips of one name also get their ends."""
    count = Counter(clip.name for clip in clips)
    return [_whole_name(clip) if count[clip.name] > 1 else clip.name for clip in clips]


def _whole_name(clip: Clip) -> str:
    """Return the path of a clip and, for a part, from where to where it goes."""
    end = 'the end' if clip.end is None else f'{clip.end:.12g} s'
    return f'{clip.path} from {clip.start:.12g} s to {end}' if clip.start or clip.end is not None else clip.name


def find_clips(videos: str | os.PathLike[str]) -> list[Clip]:
    """Return the clips that a path stands for.

    Args:
        videos: A video; a folder of videos, or with one subfolder per class; or a table (``.csv``, ``.tsv``) with the
            columns ``filename`` and, optionally, ``label``, ``start``, ``end`` (seconds, or times such as ``1:02``)
            and ``group``; see :func:`read_numbered`. File names are relative to the table's folder. A further column
            ``video`` names the clips, if each has its own name. Parts of one video form one group, unless the table
            gives their groups.

    Raises:
        NoVideos: If there is no video.
        DataError: If there is nothing to read, or a table is malformed; names the line.
    """
    path = Path(videos)
    if path.is_dir():
        found = [Clip(p.stem, p, p.parent.name if p.parent != path else '') for p in _videos_of(path)]
    elif is_table(path):
        found = _read_table(path)
    elif path.is_file():
        found = [Clip(path.stem, path)]
    else:
        raise DataError(f'{path}: there is no such file or folder. Check the path.')
    if not found:
        raise NoVideos(f'{path} holds no video (known: {" ".join(sorted(MEDIA_SUFFIXES))}).')
    return _check_ids(_with_unique_ids(found))


def is_table(path: Path) -> bool:
    """Return whether a file is a table of videos, judging by its suffix."""
    return path.suffix.lower() in _TABLES and path.is_file()


def _videos_of(folder: Path) -> list[Path]:
    """Return the videos in a folder and its subfolders, without hidden and system files."""
    found = [p for pattern in ('*', '*/*', '*/*/*') for p in folder.glob(pattern)]
    videos = [p for p in found if p.suffix.lower() in MEDIA_SUFFIXES and p.is_file()]
    videos = sorted(p for p in videos if not any(map(is_leftover, p.relative_to(folder).parts)))
    deep = [p for p in videos if len(p.relative_to(folder).parts) > 2]
    if deep:
        raise DataError(
            f'{deep[0]} is nested too deeply: {folder} must hold videos, or one subfolder of videos per class. Move '
            'it, or list the videos in a table (.csv, .tsv) of filename and label.'
        )
    _warn_of_empty_classes(folder, videos)
    return videos


def _warn_of_empty_classes(folder: Path, videos: Iterable[Path]) -> None:
    """Warn about class folders without a video: their classes would otherwise be silently missing."""
    used = {path.parent for path in videos}
    empty = [p.name for p in sorted(folder.iterdir()) if p.is_dir() and p not in used and not is_leftover(p.name)]
    if used - {folder} and empty:
        _LOGGER.warning('%s: there are no videos in %s, so no such class.', folder, shortened(', '.join(empty)))


def _read_table(path: Path) -> list[Clip]:
    rows, unread = read_numbered(path, _COLUMNS, optional=[name for name in _COLUMNS if name != 'filename'])
    if unread:
        known = ', '.join(_COLUMNS)
        _LOGGER.warning('%s: ignored columns: %s. Known ones: %s.', path, shortened(', '.join(unread)), known)
    if not rows:
        raise DataError(f'{path}: there are no rows below the header. Write one row per clip.')
    fields = [dict(zip(_COLUMNS, row, strict=True)) for _, row in rows]
    lines = [line for line, _ in rows]
    clips = [_clip_of(path, line, row) for line, row in zip(lines, fields, strict=True)]
    _check_twice(path, lines, clips)
    return grouped(_with_names(path, clips, fields))


def _with_names(table: Path, clips: Sequence[Clip], rows: Sequence[Mapping[str, str]]) -> Sequence[Clip]:
    """Name clips as in the table's column ``video``, if each has its own name."""
    if all(row['video'] in ('', row['filename']) for row in rows):
        return clips
    paths = [Path(row['video'].strip()) for row in rows]
    names = [path.stem if path.suffix.lower() in MEDIA_SUFFIXES else path.name for path in paths]
    if len(set(names) - {''}) < len(clips):
        _LOGGER.warning('%s: clips are named after their files: column video does not give each its own name.', table)
        return clips
    return [replace(clip, id=name) for clip, name in zip(clips, names, strict=True)]


def grouped(clips: Sequence[Clip]) -> list[Clip]:
    """Return clips in which parts of one file without a group get one: that of another part, or a new one."""
    files = [_file_of(clip.path) for clip in clips]
    count = Counter(files)
    names: dict[str, str] = {}
    for file, clip in zip(files, clips, strict=True):
        names[file] = names.get(file) or clip.group
    first = dict(zip(reversed(files), reversed(clips), strict=True))
    groups = [c.group or names[f] or os.fspath(first[f].path) for f, c in zip(files, clips, strict=True)]
    return [replace(c, group=g) if count[f] > 1 else c for c, g, f in zip(clips, groups, files, strict=True)]


def _file_of(path: Path) -> str:
    """Return the real file of a path that may contain links or ``..``."""
    try:
        return os.path.realpath(path)
    except ValueError:  # No file can have such a name; it is refused later.
        return os.fspath(path)


def _check_twice(table: Path, lines: Iterable[int], clips: Iterable[Clip]) -> None:
    """Refuse two rows for the same part of a file."""
    known: dict[tuple[Path, float, float | None], tuple[int, str]] = {}
    for line, clip in zip(lines, clips, strict=True):
        before, label = known.setdefault((clip.path, clip.start, clip.end), (line, clip.label))
        if before != line:
            other = f', as {label!r} and {clip.label!r}; a clip has one label' if label != clip.label else ''
            raise DataError(f'{table}, lines {before} and {line}: both are {_whole_name(clip)}{other}. Remove one row.')


def _clip_of(table: Path, line: int, row: Mapping[str, str]) -> Clip:
    where = f'{table}, line {line}'
    name = row['filename'].strip()
    if not name:
        raise DataError(f'{where}: filename is empty.')
    times = {}
    for key in ('start', 'end'):
        text = row[key].strip()
        try:
            times[key] = seconds_of(text) if text else None
        except ValueError:
            raise DataError(
                f'{where}: {key}={text!r} is neither a number of seconds, such as 12.5 or 12,5, nor a time, such as '
                '1:02 or 00:01:02.5.'
            ) from None
    start, end = times['start'] or 0.0, times['end']
    path = table.parent / name
    cut = f'_{start:.12g}' + ('' if end is None else f'_{end:.12g}') if start or end is not None else ''
    if path.suffix.lower() not in MEDIA_SUFFIXES:
        raise DataError(f'{where}: {name} is not a video file name (known: {" ".join(sorted(MEDIA_SUFFIXES))}).')
    try:
        return Clip(path.stem + cut, path, row['label'].strip(), start, end, row['group'].strip())
    except DataError as error:
        raise DataError(f'{where}: {error}') from None


def _check_ids(clips: list[Clip]) -> list[Clip]:
    """Refuse ids that could not be written: they become file names and table rows."""
    check_names([clip.id for clip in clips], 'clip')
    check_paths([clip.id for clip in clips], 'clip')
    check_names(sorted({clip.label for clip in clips if clip.label}), 'label')
    check_names(sorted({clip.group for clip in clips if clip.group}), 'group')
    return clips


def _with_unique_ids(clips: list[Clip]) -> list[Clip]:
    """Make equal names unique by adding the folder or the file suffix."""
    for also in (lambda c: f'{c.path.parent.name}__{c.id}', lambda c: f'{c.id}__{c.path.suffix[1:]}'):
        count = Counter(clip.id for clip in clips)
        clips = [replace(clip, id=also(clip)) if count[clip.id] > 1 else clip for clip in clips]
    twice = next((name for name, n in Counter(clip.id for clip in clips).items() if n > 1), None)
    if twice is not None:
        raise DataError(f'two clips are named {twice}: give the files, or the parts of one file, different names.')
    return clips


def shard_of(clips: Iterable[Clip], index: int, count: int) -> list[Clip]:
    """Return part ``index`` (from 0) of ``count`` parts: every ``count``-th clip."""
    return [clip for i, clip in enumerate(clips) if i % count == index]
