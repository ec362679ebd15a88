"""Find and read the class files of the zero-shot releases of the benchmark's data sets (AVCA, TCAF, ClipClap).

``features/SET/{audio,video}/SPLIT/CLASS.h5`` or ``.pkl`` holds the features of one class in one split.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avzoo.avdiff_release.class_files import find_shots, match_key
from avzoo.datasets.splits import LIST_NAMES, ZeroShotLists, read_zero_shot_lists
from avzoo.datasets.store_format import read_lines
from avzoo.protocol import AUDIO, MODALITIES, VISUAL
from avzoo.readers.h5_arrays import read_h5
from avzoo.readers.safe_pickle import load_pickle
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest

FOLDERS = {AUDIO: 'audio', VISUAL: 'video'}
_SUFFIXES = ('.pkl', '.h5')
# Names of videos are without suffix in the lists; some are with it in features of one's own extraction.
_VIDEO_SUFFIX = re.compile(r'\.(mp4|avi|mkv|webm|wav)$', re.IGNORECASE)


@dataclass(frozen=True)
class ZeroShotFile:
    """The two files of one class in one split."""

    split: str
    label: str
    paths: Mapping[str, Path]


def find_feature_set(root: Path, name: str | None = None) -> Path:
    """Return the folder of a set of features.

    Args:
        root: Folder of one data set.
        name: Folder below ``features``; may be ``None`` if there is only one.
    """
    if not root.is_dir():
        raise DataError(f'There is no folder {root}. ROOT is the unzipped folder of one data set.')
    folder = root / 'features'
    found = sorted(path.name for path in folder.glob('*') if (path / 'audio').is_dir() and (path / 'video').is_dir())
    if shots := set(find_shots(root)):
        raise DataError(
            f'{folder} has folders for K = {sorted(shots)} shots: these are the features released with AV-DIFF. Import '
            'them with tools/dataset_converters/official.py.'
        )
    if not found:
        inner = sorted(path.parent.name for path in root.glob('*/features'))
        hint = f' Its folder {inner[0]} has features.' if inner else ''
        raise DataError(
            f'{folder} has no folder SET with SET/audio and SET/video. ROOT is the unzipped folder of one data set, '
            f'which holds features and class-split.{hint}'
        )
    if name is not None and name not in found:
        raise DataError(f'{folder} has no set of features {name!r}; it has {", ".join(found)}.' + nearest(name, found))
    if name is None and len(found) > 1:
        raise DataError(f'{folder} has {len(found)} sets of features: {", ".join(found)}. Choose one with --features.')
    return folder / (name or found[0])


def class_folder(root: Path) -> Path:
    """Return the folder of class names and lists, which documents and files of the releases spell differently."""
    return next(
        (root / name for name in ('class-split', 'class_split') if (root / name).is_dir()), root / 'class-split'
    )


def read_lists(root: Path, name: str) -> ZeroShotLists:
    """Read the lists of a release; those that it lacks are ``missing``."""
    folder = class_folder(root) / name
    if any((folder / f'{list_name}.csv').is_file() for list_name in LIST_NAMES):
        return read_zero_shot_lists(folder)
    if not class_folder(root).is_dir():
        raise DataError(
            f'{root} has no folder class-split, with all_class.txt and the lists. Unpack the data set again.'
        )
    kept = sorted(path.name for path in class_folder(root).iterdir() if path.is_dir())
    if kept and name not in kept:
        raise DataError(
            f'{class_folder(root)} has no lists {name!r}; it has {", ".join(kept)}. Choose one with --lists.'
        )
    return ZeroShotLists(folder, {})


def find_class_files(features: Path, lists: Path, names: Mapping[str, str]) -> Iterator[ZeroShotFile]:
    """Find the class files of the five splits, sorted by file name within a split.

    Args:
        features: Folder of a set of features.
        lists: Folder of the lists; a ``.txt`` restricts a split to the classes that it names.
        names: Class as ``match_key`` -> class.
    """
    for split in LIST_NAMES:
        folders = {key: features / folder / split for key, folder in FOLDERS.items()}
        files = {key: _files_of(folder) for key, folder in folders.items()}
        allowed = lists / f'{split}.txt'
        kept = {match_key(name, True) for name in read_lines(allowed)} if allowed.is_file() else None
        odd = sorted(files[AUDIO].keys() ^ files[VISUAL].keys())
        if odd:
            raise DataError(f'{folders[AUDIO]} and {folders[VISUAL]}: class {odd[0]!r} is in only one of them.')
        for key, path in files[AUDIO].items():
            if key not in names:
                raise DataError(f'{path}: class {path.stem!r} is in no list.' + nearest(path.stem, names.values()))
            if kept is None or key in kept:
                yield ZeroShotFile(split, names[key], {modality: files[modality][key] for modality in MODALITIES})


def _files_of(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.glob('[!.]*')):
        if path.suffix in _SUFFIXES and found.setdefault(match_key(path.stem, True), path) != path:
            raise DataError(f'{folder}: class {path.stem!r} has two files. Remove one of them.')
    if not found:
        raise DataError(f'{folder} is missing or has no .pkl or .h5 file. Unpack the data set again.')
    return found


def read_class_file(path: Path) -> dict[str, Any]:
    """Read a class file as video -> features, (T, D) or (D,), in the order of the file."""
    keys = ('data', 'video_urls') if path.suffix == '.h5' else ('features', 'video_names')
    content = read_h5(path, keys) if path.suffix == '.h5' else load_pickle(path)
    try:
        features, videos = list(content[keys[0]]), [video_name(video) for video in content[keys[1]]]
    except (KeyError, TypeError, IndexError):
        raise DataError(f'{path}: expected a dict with {" and ".join(keys)}.') from None
    if len(set(videos)) != len(videos) or not videos:
        raise DataError(
            f'{path}: {number_of(len(videos), "video name")}, {len(set(videos))} of them different. Unpack it again.'
        )
    if len(features) != len(videos):
        raise DataError(
            f'{path}: {len(features)} features and {number_of(len(videos), "video name")}, so they cannot be '
            'matched. Extract this class again, or remove its files and import with --skip-missing.'
        )
    return dict(zip(videos, features, strict=True))


def video_name(value: Any) -> str:
    """Return the name of a video as the lists have it: as text and without the suffix of a file."""
    text = value.decode('utf-8', 'replace') if isinstance(value, bytes) else str(value)
    return _VIDEO_SUFFIX.sub('', text)
