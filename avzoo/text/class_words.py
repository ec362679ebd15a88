"""Class vectors from word vectors: that of the whole name, or the mean over its parts."""

import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from avzoo.text.word_vectors import read_word_vectors
from avzoo.utils.errors import DataError


@dataclass(frozen=True)
class NamedVector:
    """The vector of a class, and the words that it is the mean of.

    Attributes:
        vector: (d,) float32.
        words: The words that were found.
        unknown: Parts of the name that have no vector.
    """

    vector: np.ndarray
    words: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def split_name(name: str) -> list[str]:
    """Split a name into words: at everything that is not a letter or a digit, and where capitals begin words.

    Examples:
        >>> split_name('YoYo_throwing (2ndHand) TVShow')
        ['Yo', 'Yo', 'throwing', '2nd', 'Hand', 'TV', 'Show']
    """
    name = unicodedata.normalize('NFC', name)
    words, word = [], ''
    for i, char in enumerate(name):
        after = name[i + 1 : i + 2]
        begins = char.isupper() and bool(word) and (not word[-1].isupper() or after.islower())
        if unicodedata.category(char)[0] not in 'LMN' or begins:
            words.append(word)
            word = ''
        if unicodedata.category(char)[0] in 'LMN':
            word += char
    return [part for part in [*words, word] if part]


def mean_word_vectors(path: str | os.PathLike[str], texts: Mapping[str, str]) -> dict[str, NamedVector]:
    """Return the vector of each class: of its whole name where the file has it, else the mean of its known parts.

    Args:
        path: Word vectors, see :func:`read_word_vectors`.
        texts: {label: the class in words}.

    Raises:
        DataError: No part of some class is known; all such classes are listed.
    """
    wanted = {word for text in texts.values() for word in (*_wholes(text), *_all_spellings(split_name(text)))}
    table = read_word_vectors(path, wanted)
    # Some files give padding or rare words a vector of zeros, which says nothing about a class.
    table = {word: vector for word, vector in table.items() if vector.any()}
    found = {label: _named_vector(text, table) for label, text in texts.items()}
    lost = [label for label, named in found.items() if named is None or not named.vector.any()]
    if lost:
        raise DataError(
            f'{path} has no word of {len(lost)} of {len(texts)} classes: {", ".join(map(repr, lost))}. Describe them '
            'in words that it has, in a column text of classes.csv (columns label,text).'
        )
    return {label: named for label, named in found.items() if named is not None}


def _named_vector(text: str, table: Mapping[str, np.ndarray]) -> NamedVector | None:
    whole = next((word for word in _wholes(text) if word in table), None)
    if whole is not None:
        return NamedVector(table[whole], (whole,))
    parts = split_name(text)
    known = [next((word for word in _spellings(part) if word in table), None) for part in parts]
    words = tuple(word for word in known if word is not None)
    unknown = tuple(part for part, word in zip(parts, known, strict=True) if word is None)
    if not words:
        return None
    mean = np.stack([table[word] for word in words]).mean(axis=0)
    return NamedVector(mean, words, unknown)


def _wholes(text: str) -> list[str]:
    """Return how a file may spell a whole name: as it is, or joined as word2vec and others join phrases."""
    text = unicodedata.normalize('NFC', text).strip()
    parts = split_name(text)
    joined = [mark.join(parts) for mark in ('_', '-') if len(parts) > 1]
    return [text, *joined, *(phrase.lower() for phrase in joined)]


def _spellings(part: str) -> list[str]:
    return list(dict.fromkeys((part, part.lower(), part.capitalize(), part.upper())))


def _all_spellings(parts: Sequence[str]) -> list[str]:
    """Return all spellings that are tried for some parts of a name."""
    return [form for part in parts for form in _spellings(part)]
