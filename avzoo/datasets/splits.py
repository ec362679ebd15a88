"""Cut k-shot splits from the lists of a generalised zero-shot benchmark."""

import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from avzoo.datasets.list_classes import check_apart, check_learned, check_restriction, warn_of_divided_groups
from avzoo.datasets.shots import draw_shots
from avzoo.datasets.store_format import check_names, read_lines
from avzoo.protocol import NUM_DRAWS, base_split, evaluation_splits, split_names, train_splits
from avzoo.readers.csv_columns import read_columns
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError
from avzoo.utils.tables import text_table

LIST_NAMES = ('stage_1_train', 'stage_1_val_seen', 'stage_1_val_unseen', 'stage_2_test_seen', 'stage_2_test_unseen')
TABLE_COLUMNS = ('V_B1', 'V_N1', 'Val_B', 'Val_N', 'V_B2', 'V_N2', 'Test_B', 'Test_N')
# Column of a list -> what its first line may call it
LIST_COLUMNS: Mapping[str, Sequence[str]] = dict(
    filename=(
        *('filename', 'video_id', 'video', 'videoid', 'file', 'file_name', 'clip', 'clip_id', 'youtube_id', 'ytid'),
        *('id', 'vid', 'name', 'path', 'filepath', 'file_path', 'video_path', 'video_name', 'clip_name'),
    ),
    label=(
        'label',
        'class',
        'class_name',
        'classname',
        'category',
        'label_name',
        'class_label',
        'action',
        'activity',
        'target',
    ),
    group=('group',),
)
# List of novel classes -> the lists of classes that are base classes by then
_KNOWN_BEFORE = {'stage_1_val_unseen': LIST_NAMES[:2], 'stage_2_test_unseen': LIST_NAMES[:4]}
# List of base classes to evaluate on -> the lists that they are learned from
_LEARNED_IN = {'stage_1_val_seen': LIST_NAMES[:1], 'stage_2_test_seen': LIST_NAMES[:3]}
_HOW_TO_DIVIDE = (
    ' To make such lists from one table with columns video and label, or a folder with one folder per class, run'
    ' tools/dataset_converters/splits.py TABLE.csv OUT --novel 12 6 --seed 0 (12 and 6 of its classes become novel).'
)
_COLUMN_SPLITS = dict(zip(TABLE_COLUMNS, split_names(num_draws=1), strict=True))


@dataclass(frozen=True)
class ZeroShotLists:
    """The lists that few-shot splits are cut from.

    Args:
        folder: Where they were read.
        videos: List name -> class -> sorted video ids. A class without videos has an empty list.
        groups: Video -> its group, e.g. the recording that it was cut from. A video that is not in it has none.
    """

    folder: Path
    videos: dict[str, dict[str, list[str]]]
    groups: dict[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> dict[str, str]:
        """Label of every video of the lists, in list order."""
        return {video: label for classes in self.videos.values() for label, ids in classes.items() for video in ids}

    @property
    def missing(self) -> list[str]:
        """Names of the lists that are missing."""
        return [name for name in LIST_NAMES if name not in self.videos]

    def ids(self, *names: str) -> list[str]:
        """Return all videos of some lists, class by class."""
        return [video for name in names for ids in self.videos[name].values() for video in ids]


def read_zero_shot_lists(folder: str | os.PathLike[str]) -> ZeroShotLists:
    """Read the lists of a data set.

    Args:
        folder: Holds ``stage_1_train.csv`` and so on, with at least the columns ``filename`` and ``label`` (or other
            names of these, see ``LIST_COLUMNS``), or holds them in a subfolder ``cls_split``. A column ``group`` is
            optional. A ``.txt`` of the same name lists the classes: rows of other classes are dropped.
    """
    folder = Path(folder)
    if not folder.is_dir():
        problem = 'is not a folder of zero-shot lists' if folder.exists() else 'does not exist'
        raise DataError(f'{folder} {problem}.{_HOW_TO_DIVIDE}')
    if (folder / 'cls_split').is_dir():
        folder = folder / 'cls_split'
    groups: dict[str, str] = {}
    paths = {name: folder / f'{name}.csv' for name in LIST_NAMES}
    videos = {name: _read_list(path, groups) for name, path in paths.items() if path.is_file()}
    if not videos:
        raise DataError(
            f'{folder} has none of the lists {", ".join(f"{name}.csv" for name in LIST_NAMES)}.' + _HOW_TO_DIVIDE
        )
    seen: dict[str, str] = {}
    for name, classes in videos.items():
        for video in (video for ids in classes.values() for video in ids):
            if video in seen:
                raise DataError(
                    f'{folder}: video {video!r} is in {seen[video]}.csv and again in {name}.csv. A video '
                    'belongs to one list only; remove it from the other.'
                )
            seen[video] = name
    check_apart(folder, videos, _KNOWN_BEFORE)
    check_learned(folder, videos, _LEARNED_IN)
    warn_of_divided_groups(folder, videos, groups)
    return ZeroShotLists(folder, videos, groups)


def draw_splits(lists: ZeroShotLists, shots: int, draws: int = NUM_DRAWS, seed: int = 0) -> dict[str, list[str]]:
    """Cut the K-shot splits.

    K videos of each stage-1 novel class go to stage-1 training and the rest to validation; K of each stage-2 novel
    class, drawn separately for each of ``draws``, go to stage-2 training and the rest to test. The choice within a
    class depends only on the seed, K, the draw and the videos of that class: not on the other K, on the other classes,
    or on the order of the lists.

    Videos of a class that belong to one group are never both trained and evaluated on: whole groups are drawn until
    they have K videos, K of these are taken, and the others of these groups are left out.

    Args:
        lists: Complete lists, or some of them: splits that need a missing list are left out.
        shots: K videos per class.
        draws: Independent choices of the stage-2 shots.
        seed: Seed of the choice, at least 0.

    Returns:
        Split name -> video ids.

    Raises:
        DataError: A list has no videos, a class to train on has none, or a novel class has no more than K, or too few
            groups.
    """
    if shots < 1 or draws < 1 or seed < 0:
        raise ValueError(f'shots={shots} and draws={draws} must be at least 1, seed={seed} at least 0')
    _check_filled(lists)
    splits: dict[str, list[str]] = {}
    (train_base, train_novel), (val_base, val_novel) = train_splits(1), evaluation_splits('val')
    _add_union(splits, lists, train_base, 'stage_1_train')
    _add_novel(splits, lists, 'stage_1_val_unseen', (train_novel, val_novel), [seed, shots, 1, 0])
    _add_union(splits, lists, val_base, 'stage_1_val_seen')
    _add_union(splits, lists, base_split(2), 'stage_1_train', 'stage_1_val_seen', 'stage_1_val_unseen')
    _add_union(splits, lists, evaluation_splits('test', 0)[0], 'stage_2_test_seen')
    for draw in range(draws):
        names = (train_splits(2, draw)[1], evaluation_splits('test', draw)[1])
        _add_novel(splits, lists, 'stage_2_test_unseen', names, [seed, shots, 2, draw])
    return splits


def format_table(sizes: Mapping[int, Mapping[str, int]]) -> str:
    """Lay out split sizes as a table, a row for each K (AV-DIFF, Table 1); ``-`` where a split could not be made.

    Args:
        sizes: K -> split name -> number of videos.
    """
    rows = [(shots, *(row.get(name, '-') for name in _COLUMN_SPLITS.values())) for shots, row in sorted(sizes.items())]
    return text_table(('K', *TABLE_COLUMNS), rows)


def _read_list(path: Path, groups: dict[str, str]) -> dict[str, list[str]]:
    """Return the videos of each class of a list, and add the groups of videos to ``groups``."""
    names_path = path.with_suffix('.txt')
    classes: dict[str, list[str]] = {name: [] for name in read_lines(names_path)} if names_path.is_file() else {}
    restricted = bool(classes)
    rows = read_columns(path, LIST_COLUMNS, optional=['group'])
    check_restriction(names_path, classes, {label for _, label, _ in rows})
    for video, label, group in rows:
        if group.strip():
            groups[video] = group.strip()
        if label in classes:
            classes[label].append(video)
        elif not restricted:
            classes[label] = [video]
    if not any(classes.values()):
        raise DataError(
            f'{path} has no video'
            + (f' of a class of {names_path.name}.' if restricted else '.')
            + ' Fill the list, or remove the file.'
        )
    check_names(list(classes), f'{path}: class')
    check_names([video for ids in classes.values() for video in ids], f'{path}: video')
    return {label: sorted(classes[label]) for label in sorted(classes)}


def _check_filled(lists: ZeroShotLists) -> None:
    for name, classes in lists.videos.items():
        empty = [label for label, ids in classes.items() if not ids]
        if len(empty) == len(classes):
            raise DataError(f'{lists.folder / name}.csv: none of its videos can be used. Add features for them.')
        if empty and name == 'stage_1_train':
            raise DataError(
                f'{lists.folder / name}.csv: class {empty[0]!r} has no video to train on '
                f'({number_of(len(empty), "such class", "such classes")}). '
                'Add videos of it, or leave the class out of all lists.'
            )


def _add_union(splits: dict[str, list[str]], lists: ZeroShotLists, name: str, *sources: str) -> None:
    if all(source in lists.videos for source in sources):
        splits[name] = lists.ids(*sources)


def _add_novel(
    splits: dict[str, list[str]], lists: ZeroShotLists, source: str, names: tuple[str, str], key: list[int]
) -> None:
    if source not in lists.videos:
        return
    shots = key[1]
    chosen: list[str] = []
    rest: list[str] = []
    for label, ids in lists.videos[source].items():
        if len(ids) <= shots:
            raise DataError(
                f'{lists.folder / source}.csv: class {label!r} has {number_of(len(ids), "video")}; '
                f'{number_of(shots, "shot needs", "shots need")} at least {shots + 1}, one of them to evaluate on. '
                'Leave the class or this K out.'
            )
        rng = np.random.default_rng([*key, zlib.crc32(label.encode())])
        taken, left = draw_shots(ids, lists.groups, shots, rng, f'{lists.folder / source}.csv: class {label!r}')
        chosen += taken
        rest += left
    splits[names[0]], splits[names[1]] = chosen, rest
