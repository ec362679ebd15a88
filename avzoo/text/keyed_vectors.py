"""Read gensim's ``KeyedVectors`` without gensim, and without running anything that the file names."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from avzoo.readers.safe_pickle import load_pickle
from avzoo.utils.errors import DataError


class _KeyedVectors:
    """The attributes of a ``KeyedVectors`` of gensim 4."""

    index_to_key: object = None
    vectors: object = None


_CURE = (
    "If you trust the file, write them as text with gensim: KeyedVectors.load('FILE').save_word2vec_format("
    "'FILE.txt'), for a whole model Word2Vec.load('FILE').wv.save_word2vec_format('FILE.txt')."
)


def read_keyed_vectors(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """Read the vectors of some words; large files have the array beside them, in ``PATH.vectors.npy``.

    Raises:
        DataError: The file asks for anything but ``KeyedVectors`` of gensim 4 and plain data.
    """
    try:
        content = load_pickle(path, {('gensim.models.keyedvectors', 'KeyedVectors'): _KeyedVectors})
    except DataError as error:
        raise DataError(f'{error} {_CURE}') from None
    if not isinstance(content, _KeyedVectors):
        raise DataError(f'{path} is a pickle of {type(content).__name__}, not of KeyedVectors. {_CURE}')
    words, vectors = content.index_to_key, content.vectors
    if vectors is None:
        vectors = _array_beside(path)
    if (
        not isinstance(words, list)
        or not isinstance(vectors, np.ndarray)
        or vectors.ndim != 2
        or len(vectors) != len(words)
        or vectors.dtype.kind != 'f'
    ):
        raise DataError(f'{path} has no table index_to_key of words with a vector for each. {_CURE}')
    place = {word: i for i, word in reversed(list(enumerate(words))) if isinstance(word, str)}
    return {word: np.array(vectors[place[word]], np.float32) for word in wanted if word in place}


def _array_beside(path: Path) -> np.ndarray:
    beside = path.with_name(f'{path.name}.vectors.npy')
    try:
        return np.load(beside, mmap_mode='r', allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f'{path} keeps its vectors in {beside.name}, which cannot be read: {error}') from None
