"""The classes of clips that a classifier is taught, and doubts about them."""

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
    """Return the classes of labels, sorted (C,), and the class of each clip (N,); warns of copies and odd spellings.

    Args:
        y: A label for each clip.
        features: Of the clips, (N, D) by modality.
        videos: What the clips are called.

    Raises:
        InputError: If there is not one label for each clip, or only one class.
    """
    if y is None:
        raise InputError(
            'fit(clips, y) requires y to be passed, but the target y is None. Give a label for each clip; a folder of '
            'classes or a table needs none.'
        )
    labels, count = as_labels(y), len(next(iter(features.values())))
    if labels.shape != (count,):
        raise InputError(
            f'{number_of(count, "clip")}, but labels of shape {labels.shape}: give one label for each clip.'
        )
    _warn_of_copies(labels, features, videos)
    classes, columns = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError(f'all clips are of one class ({classes[0].item()!r}): two are needed at least.')
    if alike := spellings(map(str, classes)):
        one, other = alike[0]
        warnings.warn(f'the classes {one!r} and {other!r} differ in their spelling alone. Are they one?', stacklevel=3)
    return classes, columns


def group_of_each(groups: Any, count: int) -> np.ndarray | None:
    """Return a number for the group of each clip, (N,); ``None`` where each is alone.

    Args:
        groups: Text or numbers, one for each clip; ``''``, ``None`` and NaN are of a clip that is alone.
        count: Number of clips N.

    Raises:
        InputError: If there is not one for each clip.
    """
    if groups is None:
        return None
    named = np.asarray(groups, object)
    if named.shape != (count,):
        raise InputError(
            f'{number_of(count, "clip")}, but groups of shape {named.shape}: give one group for each clip.'
        )
    numbers: dict[Any, int] = {}
    keys = [(row, None) if _is_missing(group) else group for row, group in enumerate(named.tolist())]
    found = np.array([numbers.setdefault(key, len(numbers)) for key in keys])
    return found if len(numbers) < count else None


def _is_missing(group: Any) -> bool:
    try:
        return group is None or group == '' or bool(group != group)  # NaN differs from itself.
    except TypeError:  # Of the NA of pandas, which neither is nor is not equal to anything.
        return True


def as_labels(labels: Any) -> np.ndarray:
    """Return labels as an array of text, whole numbers or truth values; a column of a table has them as objects.

    Raises:
        InputError: If they are anything else, or text and numbers together.
    """
    array = np.asarray(labels)
    if isinstance(labels, list | tuple) and array.dtype.kind == 'U' and not all(isinstance(x, str) for x in labels):
        array = np.asarray(labels, object)  # Else numbers beside text become text, in silence.
    if array.dtype == object and array.ndim == 1 and len(set(map(type, array))) == 1:
        array = np.array(array.tolist())
    # Of whole numbers as floats, which a table or a library may have.
    is_whole = array.dtype.kind == 'f' and np.isfinite(array).all() and np.array_equal(array, np.round(array))
    if not (is_whole or array.dtype.kind in 'Uiub') or np.ma.is_masked(labels):
        raise InputError(
            f'labels of dtype {array.dtype}: give text alone or whole numbers alone, no continuous or missing values, '
            'one for each clip.'
        )
    return array


def _warn_of_copies(
    labels: np.ndarray, features: Mapping[str, np.ndarray], videos: Sequence[str | os.PathLike[str]] | None
) -> None:
    """Warn of clips with the same features in two classes, and of files whose copies are of the same class."""
    keys = [b''.join(rows[row].tobytes() for rows in features.values()) for row in range(len(labels))]
    pairs = [(first, row) for first, *others in equal_groups(enumerate(keys)) for row in others]
    apart = [(one, other) for one, other in pairs if labels[one] != labels[other]]
    # Rows of an array may be repeated on purpose.
    within = [(one, other) for one, other in pairs if labels[one] == labels[other]] if videos is not None else []
    if copies := apart + within:
        one, other = (f'{f"clip {i}" if videos is None else videos[i]} of class {labels[i]}' for i in copies[0])
        more = f' ({number_of(len(copies) - 1, "more such pair")})' if len(copies) > 1 else ''
        warnings.warn(f'{one} and {other} have the same features{more}. Remove one.', stacklevel=4)
