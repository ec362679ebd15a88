"""Check the classes of zero-shot lists: spellings, roles, groups, and those that a ``.txt`` names."""

import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest
from avzoo.utils.spelling import spelling_key, spellings

_LOGGER = logging.getLogger(__name__)


def check_apart(
    folder: Path, classes: Mapping[str, Collection[str]], known_before: Mapping[str, Collection[str]]
) -> None:
    """Refuse a class that is novel and base, in one spelling or two; warn of other classes in two spellings.

    Args:
        folder: Where the lists are.
        classes: List -> its classes.
        known_before: List of novel classes -> the lists whose classes are base classes by then.
    """
    for novel, base in [(novel, base) for novel, before in known_before.items() for base in before]:
        known = {spelling_key(label): label for label in classes.get(base, ())}
        both = sorted(label for label in classes.get(novel, ()) if spelling_key(label) in known)
        # The same spelling first: it is the plainer error.
        for label in sorted(both, key=lambda label: label not in known.values()):
            other = known[spelling_key(label)]
            spelled = '' if other == label else f', spelled {other!r} (as text: {other!a} and {label!a}),'
            raise DataError(
                f'{folder}: class {label!r} is novel in {novel}.csv and base{spelled} in {base}.csv. Remove it from '
                'one of them' + (', or rename it if it is another class.' if spelled else '.')
            )
    twice = spellings(label for labels in classes.values() for label in labels)
    if twice:
        _LOGGER.warning(
            '%s: the classes %s and %s differ only in spelling (%s) and are treated as two classes. '
            'Spell a class the same way in all lists.',
            folder,
            ascii(twice[0][0]),
            ascii(twice[0][1]),
            number_of(len(twice), 'such pair'),
        )


def check_learned(
    folder: Path, videos: Mapping[str, Mapping[str, Collection[str]]], learned_in: Mapping[str, Collection[str]]
) -> None:
    """Refuse a base class that is evaluated on but is in no training list: no model could know it.

    Args:
        folder: Where the lists are.
        videos: List -> class -> its videos.
        learned_in: List of base classes to evaluate on -> the lists that they are learned from.
    """
    for name, sources in learned_in.items():
        if not videos.keys() >= {name, *sources}:
            continue
        known = [label for source in sources for label, ids in videos[source].items() if ids]
        unknown = sorted(label for label, ids in videos[name].items() if ids and label not in known)
        if unknown:
            raise DataError(
                f'{folder / name}.csv: class {unknown[0]!r} ({number_of(len(unknown), "such class", "such classes")}) '
                'is evaluated on as a base class, but has no video in '
                f'{", ".join(f"{source}.csv" for source in sources)}.'
                f'{nearest(unknown[0], known)} Spell it the same way, or leave it out.'
            )


def check_restriction(names_path: Path, named: Iterable[str], labels: Collection[str]) -> None:
    """Check that a list has rows of each class that the ``.txt`` beside it names.

    A class without rows gives a warning, or an error if the rows spell it differently.
    """
    absent = [name for name in named if name not in labels]
    rows = {spelling_key(label): label for label in labels}
    for name in absent:
        if spelling_key(name) in rows:
            raise DataError(
                f'{names_path}: class {name!r} is spelled {rows[spelling_key(name)]!r} in '
                f'{names_path.with_suffix(".csv").name}, so none of its rows would be used. Spell it the same way.'
            )
    if absent:
        _LOGGER.warning(
            '%s: no row of %s has class %r (%s).%s',
            names_path,
            names_path.with_suffix('.csv').name,
            absent[0],
            number_of(len(absent), 'such class', 'such classes'),
            nearest(absent[0], labels),
        )


def warn_of_divided_groups(
    folder: Path, videos: Mapping[str, Mapping[str, Collection[str]]], groups: Mapping[str, str]
) -> None:
    """Warn of groups of a class that are in several lists, some of which are trained on and others evaluated on.

    Args:
        folder: Where the lists are.
        videos: List -> class -> its videos.
        groups: Video -> its group.
    """
    where: dict[tuple[str, str], list[str]] = {}
    for name, classes in videos.items():
        for label, ids in classes.items():
            for group in dict.fromkeys(groups[video] for video in ids if video in groups):
                where.setdefault((label, group), []).append(f'{name}.csv')
    divided = {key: names for key, names in where.items() if len(names) > 1}
    if divided:
        (label, group), names = next(iter(divided.items()))
        _LOGGER.warning(
            '%s: group %r of class %r is in %s (%s). Videos of one group are then both trained and evaluated '
            'on; move each group into one list.',
            folder,
            group,
            label,
            ' and '.join(names),
            number_of(len(divided), 'such group'),
        )
