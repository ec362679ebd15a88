"""The classes of the clips that a classifier is fitted to, and warnings about them."""

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avzoo.utils.counts import number_of
from avzoo.utils.equal_items import equal_groups
from avzoo.utils.errors import InputError
from avzoo.utils.spelling import spellings


def columns_of(
    y: Any, features: Mapping[str, np.ndarray], videos: Sequence[str | os.PathLike[str]] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted classes (C,) and the class of each clip (N,); warns about copies and similar spellings.

    Args:
        y: A label for each clip.
        features: Features of the clips, (N, D) by modality.
        videos: Names of the clips.

    Raises:
        InputError: If there is not exactly one label per clip, or only one class.
    """
    if y is None:
        raise InputError(
            'fit(clips, y) requires y to be passed, but the target y is None. Give one label per clip, or a folder of '
            'classes or a table, which needs no y.'
        )
    labels, count = as_labels(y), len(next(iter(features.values())))
    if labels.shape != (count,):
        raise InputError(f'{number_of(count, "clip")}, but labels of shape {labels.shape}: give one label per clip.')
    _warn_of_copies(labels, features, videos)
    classes, columns = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError(f'all clips are of one class ({classes[0].item()!r}): at least two are needed.')
    if alike := spellings(map(str, classes)):
        one, other = alike[0]
        warnings.warn(f'the classes {one!r} and {other!r} differ only in spelling. Are they the same?', stacklevel=3)
    return classes, columns


def group_of_each(groups: Any, count: int) -> np.ndarray | None:
    """Return a number for the group of each clip, (N,); ``None`` if every clip is on its own.

    Args:
        groups: Text or numbers, one per clip; ``''``, ``None`` and NaN mark a clip without a group.
        count: Number of clips N.

    Raises:
        InputError: If there is not exactly one per clip.
    """
    if groups is None:
        return None
    named = np.asarray(groups, object)
    if named.shape != (count,):
        raise InputError(f'{number_of(count, "clip")}, but groups of shape {named.shape}: give one group per clip.')
    numbers: dict[Any, int] = {}
    keys = [(row, None) if _is_missing(group) else group for row, group in enumerate(named.tolist())]
    found = np.array([numbers.setdefault(key, len(numbers)) for key in keys])
    return found if len(numbers) < count else None


def _is_missing(group: Any) -> bool:
    try:
        return group is None or group == '' or bool(group != group)  # NaN differs from itself.
    except TypeError:  # From the NA of pandas, whose comparisons are neither true nor false.
        return True


def as_labels(labels: Any) -> np.ndarray:
    """Return labels as an array of text, whole numbers or booleans; the column of a table has them as objects.

    Raises:
        InputError: If they are anything else, or text and numbers mixed.
    """
    array = np.asarray(labels)
    if isinstance(labels, list | tuple) and array.dtype.kind == 'U' and not all(isinstance(x, str) for x in labels):
        array = np.asarray(labels, object)  # Otherwise numbers mixed with text silently become text.
    if array.dtype == object and array.ndim == 1 and len(set(map(type, array))) == 1:
        array = np.array(array.tolist())
    # Whole numbers stored as floats, as in some tables and libraries.
    is_whole = array.dtype.kind == 'f' and np.isfinite(array).all() and np.array_equal(array, np.round(array))
    if not (is_whole or array.dtype.kind in 'Uiub') or np.ma.is_masked(labels):
        raise InputError(
            f'labels of dtype {array.dtype}: give only text or only whole numbers, no continuous or missing values, '
            'one per clip.'
        )
    return array


def _warn_of_copies(
    labels: np.ndarray, features: Mapping[str, np.ndarray], videos: Sequence[str | os.PathLike[str]] | None
) -> None:
    """Warn about clips with the same features in two classes, and about copies of a file within a class."""
    keys = [b''.join(rows[row].tobytes() for rows in features.values()) for row in range(len(labels))]
    pairs = [(first, row) for first, *others in equal_groups(enumerate(keys)) for row in others]
    apart = [(one, other) for one, other in pairs if labels[one] != labels[other]]
    # Rows of an array may be repeated on purpose.
    within = [(one, other) for one, other in pairs if labels[one] == labels[other]] if videos is not None else []
    if copies := apart + within:
        one, other = (f'{f"clip {i}" if videos is None else videos[i]} of class {labels[i]}' for i in copies[0])
        more = f' ({number_of(len(copies) - 1, "more such pair")})' if len(copies) > 1 else ''
        warnings.warn(f'{one} and {other} have the same features{more}. Remove one.', stacklevel=4)
