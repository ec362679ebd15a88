"""The class vectors of the zero-shot releases, matched to classes by name."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avzoo.avdiff_release.class_files import match_key, read_vectors
from avzoo.avdiff_release.zero_shot_files import class_folder
from avzoo.datasets.store_format import read_csv
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest

_LOGGER = logging.getLogger(__name__)
# What a class is called in a table of vectors: columns of the csv files of class names
_COLUMNS = ('clip_class_name', 'manual', 'original')


def read_class_vectors(root: Path, features: Path, labels: Sequence[str]) -> tuple[list[str], dict[str, np.ndarray]]:
    """Return each class in words, and each kind of vectors, (C, d), the one of the release's own model first."""
    words = _read_words(class_folder(root), labels)
    files = sorted((features / 'text').glob('[!.]*.npy'))
    if not files:
        _LOGGER.warning('%s has no class vectors; methods that need them cannot use this store', features / 'text')
    found = {}
    for path in files:
        vectors = _vectors_of_classes(path, labels, words)
        found[_kind_of(path, vectors)] = vectors
    if {'clip', 'clap'} <= found.keys():  # ClipClap joins them
        found = {'clip_clap': np.concatenate([found['clip'], found['clap']], axis=1), **found}
    texts = words.get('manual') or next(iter(words.values()), list(labels))
    return texts, found


def _kind_of(path: Path, vectors: np.ndarray) -> str:
    if path.name.startswith('wavcaps'):
        return 'clap'
    return 'word2vec' if vectors.shape[1] == 300 else 'clip'


def _read_words(folder: Path, labels: Sequence[str]) -> dict[str, list[str]]:
    """Return column -> the classes in the words of that column, for the columns that have all classes."""
    words: dict[str, list[str]] = {}
    for path in sorted(folder.glob('*_class_names.csv')):
        rows = read_csv(path, ['original'], optional=_COLUMNS)
        for place, column in enumerate(_COLUMNS, 1):
            table = {match_key(row[0], True): row[place] for row in rows if row[place]}
            if all(match_key(label, True) in table for label in labels):
                words.setdefault(column, [table[match_key(label, True)] for label in labels])
    return words | {'label': list(labels)}


def _vectors_of_classes(path: Path, labels: Sequence[str], words: dict[str, list[str]]) -> np.ndarray:
    table = read_vectors(path)
    lacking = {column: [text for text in texts if text not in table] for column, texts in words.items()}
    column = min(lacking, key=lambda column: len(lacking[column]))
    if lacking[column]:
        text = lacking[column][0]
        raise DataError(
            f'{path} has no vector for {text!r} (class {labels[words[column].index(text)]!r}; '
            f'{number_of(len(lacking[column]), "such class", "such classes")}).' + nearest(text, table)
        )
    try:
        return np.stack([np.asarray(table[text], np.float32) for text in words[column]])
    except (TypeError, ValueError) as error:
        raise DataError(f'{path}: its vectors are not numbers or of unequal width: {error}') from None
