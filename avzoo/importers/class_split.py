"""Divide the classes of one table into base and novel ones, and its videos into zero-shot lists."""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from avzoo.datasets.shots import units
from avzoo.datasets.splits import LIST_NAMES, ZeroShotLists
from avzoo.datasets.store_format import write_csv
from avzoo.importers.class_table import ClassTable
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest

_HELD_OUT = 10  # one of so many videos of a known class is evaluated on
_SHOWN = 20


class Roles(NamedTuple):
    """Which classes are base, which are new in stage 1 and which in stage 2."""

    base: Sequence[str]
    novel_1: Sequence[str]
    novel_2: Sequence[str]


# Lists of the classes of each role, the one with most videos first.
_LISTS = Roles(
    ('stage_1_train', 'stage_1_val_seen', 'stage_2_test_seen'),
    ('stage_1_val_unseen', 'stage_2_test_seen'),
    ('stage_2_test_unseen',),
)
# In how many parts the videos of a class are cut in all; the shots are one of them.
_PARTS = (3, 3, 2)


def draw_roles(table: ClassTable, novel_1: int, novel_2: int, base: Sequence[str] = (), seed: int = 0) -> Roles:
    """Draw the novel classes of both stages.

    Args:
        table: Has the classes.
        novel_1: How many are new in stage 1.
        novel_2: How many are new in stage 2.
        base: Classes that are not drawn.
        seed: Seed of the draw, at least 0.

    Raises:
        DataError: There are too few classes, or one of ``base`` is not in the table.
    """
    labels = list(table.classes)
    _check_known(table, base)
    free = [label for label in labels if label not in set(base)]
    number = novel_1 + novel_2
    if min(novel_1, novel_2) < 1 or number > len(free) or number == len(labels):
        raise DataError(
            f'{table.path} has {number_of(len(labels), "class", "classes")}, {len(free)} of which may become novel: '
            f'{novel_1} and {novel_2} cannot be drawn. Give two numbers of at least 1 that leave a base class.'
        )
    order = [free[i] for i in np.random.default_rng([seed, 0]).permutation(len(free))]
    rest = [label for label in labels if label not in set(order[:number])]
    return Roles(rest, sorted(order[:novel_1]), sorted(order[novel_1:number]))


def name_roles(
    table: ClassTable, novel_1: Sequence[str], novel_2: Sequence[str], base: Sequence[str] | None = None
) -> Roles:
    """Check named roles; if no base classes are named, all other classes are base.

    Raises:
        DataError: A class is not in the table or is named twice, or a role has no class.
    """
    named = [*(base or ()), *novel_1, *novel_2]
    _check_known(table, named)
    twice = next((label for label in named if named.count(label) > 1), None)
    if twice is not None:
        raise DataError(f'class {twice!r} is named twice. A class is base, new in stage 1, or new in stage 2.')
    roles = Roles(base or [label for label in table.classes if label not in set(named)], novel_1, novel_2)
    if not all(roles):
        raise DataError(
            f'{table.path}: {number_of(len(roles.base), "base class", "base classes")}, {len(novel_1)} new in stage 1 '
            f'and {len(novel_2)} new in stage 2; each needs at least one.'
        )
    return roles


def divide_videos(table: ClassTable, roles: Roles, *, shots: int = 1, seed: int = 0) -> ZeroShotLists:
    """Divide a table into the five lists that few-shot splits are cut from.

    A tenth of the videos of each base class, and of each class that is new in stage 1, is for testing; a tenth of the
    other videos of a base class is for validation. Videos of one group stay together. Classes without a role are left
    out.

    Args:
        table: The class of each video.
        roles: The role of each class.
        shots: The largest K of the splits that will be drawn.
        seed: Seed of the division, at least 0.

    Raises:
        DataError: Classes have too few videos or groups for K shots.
    """
    classes = table.classes
    _check_sizes(table, classes, roles, shots)
    videos: dict[str, dict[str, list[str]]] = {name: {} for name in LIST_NAMES}
    for lists, labels in zip(_LISTS, roles, strict=True):
        for label in labels:
            rng = np.random.default_rng([seed, zlib.crc32(label.encode())])
            for name, part in zip(lists, _cut(classes[label], table.groups, len(lists), rng), strict=True):
                videos[name][label] = part
    return ZeroShotLists(
        table.path,
        {name: {label: found[label] for label in sorted(found)} for name, found in videos.items()},
        dict(table.groups),
    )


def write_lists(folder: Path, lists: ZeroShotLists) -> None:
    """Write lists as ``stage_1_train.csv`` and so on, as ``read_zero_shot_lists`` reads them."""
    columns = ['filename', 'label', *(['group'] if lists.groups else [])]
    for name, classes in lists.videos.items():
        rows = [(video, label, lists.groups.get(video, '')) for label, ids in classes.items() for video in ids]
        write_csv(folder / f'{name}.csv', columns, [row[: len(columns)] for row in rows])


def _check_known(table: ClassTable, labels: Iterable[str]) -> None:
    known = table.classes
    for label in labels:
        if label not in known:
            raise DataError(
                f'{table.path}: there is no class {label!r}, and no file of that name that lists classes.'
                + nearest(label, known)
            )


def _check_sizes(table: ClassTable, classes: Mapping[str, list[str]], roles: Roles, shots: int) -> None:
    """Refuse classes with too few videos or groups, all at once, the smallest first."""
    needed = (_PARTS[0], _least(lambda number: number - _held(number) > shots), shots + 1)
    small = []
    for least, parts, labels in zip(needed, _PARTS, roles, strict=True):
        for label in labels:
            number, apart = len(classes[label]), len(units(classes[label], table.groups))
            if number < least:
                small.append((number, f'{label!r} has {number_of(number, "video")} and needs {least}'))
            elif apart < parts:
                small.append((apart, f'{label!r} has {number_of(apart, "group")} and needs {parts}'))
    if small:
        shown = '; '.join(text for _, text in sorted(small)[:_SHOWN])
        more = f'; and {len(small) - _SHOWN} more' if len(small) > _SHOWN else ''
        raise DataError(
            f'{table.path}: too few videos for {number_of(shots, "shot")}: class {shown}{more}. Lower --shots, keep '
            'small classes base with --base, or leave them out of the table.'
        )


def _least(enough: Callable[[int], bool]) -> int:
    number = 1
    while not enough(number):
        number += 1
    return number


def _held(number: int) -> int:
    return max(1, round(number / _HELD_OUT))


def _cut(videos: list[str], groups: Mapping[str, str], parts: int, rng: np.random.Generator) -> list[list[str]]:
    """Cut the videos of a class: a tenth for the last part, a tenth of the others for the one before, and so on."""
    held: list[list[str]] = []
    for left in range(parts - 1, 0, -1):
        together = units(videos, groups)
        order = [together[i] for i in rng.permutation(len(together))]
        # Each part that is still to be cut, and the shots of a novel class, need a unit.
        out = set(_about(order, _held(len(videos)), len(order) - max(2, left)))
        held.append([video for video in videos if video in out])
        videos = [video for video in videos if video not in out]
    return [videos, *held[::-1]]


def _about(order: Sequence[list[str]], number: int, most: int) -> list[str]:
    """Return the videos of some whole units, at most ``number``; those of the smallest unit if all units have more."""
    chosen: list[list[str]] = []
    for unit in order:
        if len(chosen) < most and sum(map(len, chosen)) + len(unit) <= number:
            chosen.append(unit)
    return [video for unit in chosen or [min(order, key=len)] for video in unit]
