"""Read class vectors in any common format, and match them with the classes."""

import json
import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.datasets.store_format import UNKNOWN_EMBEDDING, number_problem
from avzoo.importers.class_order import alike, check_order
from avzoo.readers.safe_pickle import load_npy, load_npz, load_pickle
from avzoo.readers.tensor_files import read_tensors
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest

_LOGGER = logging.getLogger(__name__)
_FORMS = (
    'a .npz of tools/class_vectors.py or with the arrays names (N,) and vectors (N, width); a dict {name: vector}, '
    'saved with numpy.save, torch.save or as a pickle; or an array (classes, width)'
)
_READERS: Mapping[str, Callable[[Path], Any]] = {
    '.npy': load_npy,
    **dict.fromkeys(('.pkl', '.pickle'), load_pickle),
    **dict.fromkeys(('.pt', '.pth'), read_tensors),
}


@dataclass(frozen=True)
class ClassVectors:
    """The vectors of some classes.

    Attributes:
        array: (C, d) float32, row i for class i.
        kind: Name of the text embedding in a store; ``text`` if it is not known.
        source: How they were made, as text; empty if it is not known.
    """

    array: np.ndarray
    kind: str = UNKNOWN_EMBEDDING
    source: str = ''


def read_class_vectors(
    path: str | os.PathLike[str],
    classes: Sequence[str],
    *,
    texts: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
    origin: str = '',
) -> ClassVectors:
    """Read the vectors of some classes.

    Vectors with names are matched by name: a class gets the vector of its own name, else that of its text, else that
    of the only name that is the same regardless of case, spaces and punctuation. Vectors without names are rows in
    ``order``.

    Args:
        path: The file; the error for an unknown format lists what is read.
        classes: The classes that need a vector.
        texts: The classes in words; they may be the names of the vectors.
        order: All classes in the order of rows without names; None takes ``classes`` sorted by code points, and refuses
            names that other programs sort differently.
        origin: Where ``order`` comes from, for messages.

    Raises:
        DataError: The file has another format, or classes have no vector; all of them are listed.
    """
    path = Path(path)
    content, kind, source = _read(path)
    if isinstance(content, dict):
        array = _by_name(path, content, classes, classes if texts is None else texts)
    else:
        array = _by_row(path, content, classes, order, origin)
    _check_values(path, array, classes)
    return ClassVectors(np.asarray(array, np.float32), kind, source)


def _read(path: Path) -> tuple[dict[str, np.ndarray] | np.ndarray, str, str]:
    """Return vectors by name or rows, the kind of text embedding, and how they were made."""
    form = path.suffix.lower()
    if form == '.npz':
        return _read_npz(path)
    if form not in _READERS and path.is_file():
        raise DataError(
            f'{path} is not a file of class vectors, which are {_FORMS}. Convert a file of word vectors with '
            'tools/class_vectors.py CLASSES OUT.npz --text FILE.'
        )
    content = _READERS.get(form, load_npy)(path)
    if isinstance(content, np.ndarray) and content.shape == () and content.dtype == object:
        content = content.item()
    if isinstance(content, Mapping):
        return _as_table(path, content.items()), UNKNOWN_EMBEDDING, ''
    if isinstance(content, np.ndarray):
        return content, UNKNOWN_EMBEDDING, ''
    raise DataError(f'{path} holds {type(content).__name__}; class vectors are {_FORMS}.')


def _read_npz(path: Path) -> tuple[dict[str, np.ndarray], str, str]:
    content = load_npz(path)
    if not {'names', 'vectors'} & content.keys():  # numpy.savez(FILE, **{name: vector})
        return _as_table(path, content.items()), UNKNOWN_EMBEDDING, ''
    odd = sorted({'names', 'vectors'} ^ (content.keys() - {'provenance'}))
    if odd:
        raise DataError(f'{path} has the arrays {", ".join(content)}; class vectors are {_FORMS}.')
    names, vectors = content['names'], content['vectors']
    if names.ndim != 1 or vectors.ndim != 2 or len(names) != len(vectors):
        raise DataError(
            f'{path}: names of shape {names.shape} and vectors of shape {vectors.shape}; (N,) and (N, width) are '
            'needed.'
        )
    kind, source = _provenance(path, content.get('provenance'))
    return _as_table(path, zip(names.tolist(), vectors, strict=True)), kind, source


def _provenance(path: Path, entry: np.ndarray | None) -> tuple[str, str]:
    """Return the kind of the vectors and how they were made."""
    if entry is None:
        return UNKNOWN_EMBEDDING, ''
    try:
        facts = json.loads(str(entry))
        kind = facts['kind']
        if not isinstance(kind, str) or not kind or kind != safe_name(kind):
            raise ValueError(f'kind {kind!r}')
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f'{path}: its provenance is damaged ({error}). Write the file again with tools/class_vectors.py.'
        ) from None
    told = {key: facts[key] for key in ('source', 'sha256', 'options') if key in facts}
    return kind, json.dumps(told, ensure_ascii=False)


def safe_name(text: str) -> str:
    """Return a text as the name of a file and of class vectors: letters, digits and underscores of ASCII."""
    name = ''.join(c if c.isascii() and c.isalnum() else '_' for c in text).strip('_')
    return name if name[:1].isalpha() else f'text_{name}'.rstrip('_')


def _as_text(path: Path, name: object) -> str:
    if isinstance(name, bytes):
        name = name.decode('utf-8', 'replace')
    if not isinstance(name, str | int):
        raise DataError(f'{path}: {name!r} is not a name; class vectors are {_FORMS}.')
    return str(name)


def _as_table(path: Path, content: Iterable[tuple[Any, Any]]) -> dict[str, np.ndarray]:
    """Return vectors by name as arrays (d,), all of the same width."""
    pairs = [(_as_text(path, name), value) for name, value in content]
    twice = sorted(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
    if twice:
        raise DataError(f'{path}: names occur twice: {_listed(twice)}. Keep one vector for each.')
    table, odd = {}, []
    for name, value in pairs:
        try:
            vector = np.asarray(value)
        except ValueError:  # rows of unequal width
            vector = np.empty(0)
        vector = vector[0] if vector.shape[:1] == (1,) and vector.ndim == 2 else vector
        if vector.ndim != 1 or not vector.size or vector.dtype.kind not in 'biuf':
            odd.append(f'{name} ({vector.dtype} of shape {vector.shape})')
        table[name] = vector
    if odd or not table:
        found = f'no vectors of numbers: {_listed(odd)}' if odd else 'empty'
        raise DataError(f'{path} is {found}. Class vectors are {_FORMS}.')
    widths = Counter(map(len, table.values()))
    if len(widths) > 1:
        usual = widths.most_common(1)[0][0]
        others = [f'{name} ({len(vector)})' for name, vector in table.items() if len(vector) != usual]
        raise DataError(f'{path}: vectors are {usual} wide, but not those of {_listed(others)}. Use one width.')
    return table


def _by_name(path: Path, table: Mapping[str, np.ndarray], classes: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """Return the vector of each class, matched by name."""
    loose = _unique(table)
    alone = _unique(classes)
    found: dict[str, str] = {}
    for label, text in zip(classes, texts, strict=True):
        keys = [name for name in (label, text) if name in table]
        if not keys and alone.get(_key(label)) == label:
            keys = [loose[key] for key in (_key(label), _key(text)) if key in loose]
        if keys:
            found[label] = keys[0]
    missing = [label for label in classes if label not in found]
    if missing:
        raise DataError(
            f'{path} has no vector for {len(missing)} of {number_of(len(classes), "class", "classes")}: '
            f'{_listed(missing)}. It has {number_of(len(table), "name")}.{nearest(missing[0], table)} Add them, e.g. '
            'with tools/class_vectors.py.'
        )
    exact = dict(zip(classes, texts, strict=True))
    renamed = [f'{label} <- {name}' for label, name in found.items() if name not in (label, exact[label])]
    if renamed:
        _LOGGER.warning('%s: matched regardless of case, spaces and punctuation: %s', path, _listed(renamed))
    return np.stack([table[found[label]] for label in classes])


def _key(name: str) -> str:
    """Return a name without case, spaces and punctuation."""
    folded = unicodedata.normalize('NFKC', name).casefold()
    return ''.join(c for c in folded if unicodedata.category(c)[0] in 'LMNS') or folded


def _unique(names: Mapping[str, Any] | Sequence[str]) -> dict[str, str]:
    """Return names by their key, without those that share one."""
    counts = Counter(map(_key, names))
    return {_key(name): name for name in names if counts[_key(name)] == 1}


def _by_row(
    path: Path, rows: np.ndarray, classes: Sequence[str], order: Sequence[str] | None, origin: str
) -> np.ndarray:
    """Return the rows of some classes of an array without names."""
    every = sorted(classes) if order is None else list(order)
    if rows.ndim != 2 or len(rows) != len(every) or not rows.size or rows.dtype.kind not in 'biuf':
        raise DataError(
            f'{path}: {rows.dtype} array of shape {rows.shape}; ({len(every)}, width) is needed, a row of at least one '
            f'number for each class in the order of {origin or "the sorted class names"}. Safer: {_FORMS}.'
        )
    if order is None:
        check_order(path, every)
        _LOGGER.warning('%s: rows are taken in the order of the sorted class names: %s', path, _listed(every))
    else:
        _LOGGER.info('%s: rows are taken in the order of %s: %s', path, origin, _listed(every))
    place = {label: i for i, label in enumerate(every)}
    return rows[[place[label] for label in classes]]


def _check_values(path: Path, array: np.ndarray, classes: Sequence[str]) -> None:
    problems = {label: number_problem(row) for label, row in zip(classes, array, strict=True)}
    bad = [label for label, problem in problems.items() if problem]
    if bad:
        raise DataError(f'{path}: {problems[bad[0]]} in the vectors of {_listed(bad)}. Compute them again.')
    zero = [label for label, row in zip(classes, array, strict=True) if not row.any()]
    if zero:
        _LOGGER.warning('%s: the vector is all zeros for %s', path, _listed(zero))
    for group in alike(classes, array)[:3]:
        _LOGGER.warning('%s: equal vectors, which no method can tell apart: %s', path, _listed(group))


def _listed(names: Sequence[str], most: int = 200) -> str:
    shown = ', '.join(map(repr, names[:most]))
    return shown if len(names) <= most else f'{shown} and {len(names) - most} more'
