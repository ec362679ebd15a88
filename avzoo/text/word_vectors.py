"""Read some words of a file of word vectors: word2vec text or binary, fastText, GloVe, gensim."""

import gzip
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np

from avzoo.text.keyed_vectors import read_keyed_vectors
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError
from avzoo.utils.regular_files import open_regular

_LONGEST = 1 << 20  # bytes of a line; a file without such line ends is not one of vectors
_WIDEST = 1 << 16
_HEADER = re.compile(rb'(\d+)[ \t](\d+)\s*')
# First bytes of files that are often given instead, and what to do with them
_OTHERS = {
    b'PK': 'It is a zip or .npz file. Unzip word vectors first; give class vectors with names directly to '
    '--class-embeddings.',
    b'\x93NUMPY': 'It is a .npy file. If it holds class vectors, give it directly to --class-embeddings.',
    b'\xba\x16\x4f\x2f': "It is fastText's own model. Take the .vec file beside it, or write one with gensim: "
    "load_facebook_vectors('FILE.bin').save_word2vec_format('FILE.vec').",
    b'\x89HDF': 'It is an HDF5 file. Write the vectors as text: a line per word, the word and its numbers.',
}


def read_word_vectors(path: str | os.PathLike[str], wanted: Collection[str]) -> dict[str, np.ndarray]:
    """Read the vectors of some words; the file is read once, from start to end, and may be compressed with gzip.

    Args:
        path: word2vec text or binary, fastText ``.vec``, GloVe with or without the line of sizes, or gensim's
            ``KeyedVectors``.
        wanted: The words.

    Returns:
        Vectors of the words that the file has, (d,) float32 each; the first one if a word occurs twice.

    Raises:
        DataError: The file is of another kind, damaged, or has values that are not finite.
    """
    path = Path(path)
    try:
        with _open(path) as file:
            start = file.peek(8)[:8]  # type: ignore[attr-defined]
            for magic, cure in _OTHERS.items():
                if start.startswith(magic):
                    raise DataError(f'{path} is not a supported file of word vectors. {cure}')
            if start.startswith(b'\x80'):
                found = read_keyed_vectors(path, wanted)
            else:
                found = _collect(path, file, {word.encode('utf-8', 'replace'): word for word in wanted})
    except (OSError, EOFError) as error:
        raise DataError(f'{path} cannot be read: {error}') from None
    bad = sorted(word for word, vector in found.items() if not np.isfinite(vector).all())
    if bad:
        raise DataError(f'{path}: NaN or infinity in the vector of {bad[0]!r}. Download or train it again.')
    return found


def _open(path: Path) -> IO[bytes]:
    file = open_regular(path)
    packed = file.read(2) == b'\x1f\x8b'
    file.seek(0)
    if not packed:
        return file
    file.close()  # gzip would not close what it did not open.
    return cast(IO[bytes], gzip.open(path, 'rb'))


def _collect(path: Path, file: IO[bytes], wanted: dict[bytes, str]) -> dict[str, np.ndarray]:
    """Read a file of text, or word2vec's binary one."""
    first = file.readline(_LONGEST)
    header = _HEADER.fullmatch(first)
    if header is None:
        width = len(first.split()) - 1
        pairs = _read_text(path, file, wanted, width, first)
    else:
        count, width = int(header[1]), int(header[2])
        second = file.readline(_LONGEST)
        if not 0 < width <= _WIDEST:
            raise DataError(f'{path} says that its vectors are {width} wide: it is not a file of word vectors.')
        is_text = _numbers(second.split()[-width:], width) is not None
        pairs = (
            _read_text(path, file, wanted, width, second, count)
            if is_text
            else _read_binary(path, file, wanted, count, width, second)
        )
    found: dict[str, np.ndarray] = {}
    for word, vector in pairs:
        found.setdefault(wanted[word], vector)
    return found


def _read_text(
    path: Path, file: IO[bytes], wanted: dict[bytes, str], width: int, line: bytes, count: int | None = None
) -> Iterator[tuple[bytes, np.ndarray]]:
    """Yield the wanted words of lines: a word, which may hold spaces, and ``width`` numbers."""
    if width < 1 or _numbers(line.split()[-width:], width) is None:
        raise DataError(
            f'{path} is not a file of word vectors: its line {1 if count is None else 2} is not a word and numbers. '
            'word2vec (text or binary), fastText .vec, GloVe and gensim KeyedVectors are read.'
        )
    begins = {word.split(b' ')[0] for word in wanted}
    number = 0
    while line:
        number += 1
        if re.split(rb'[ \t]', line, maxsplit=1)[0] in begins:
            parts = line.rsplit(maxsplit=width)
            vector = _numbers(parts[-width:], width) if len(parts) == width + 1 else None
            if vector is None:
                raise DataError(
                    f'{path}: word {number} is not followed by {number_of(width, "number")}. Download it again.'
                )
            if parts[0] in wanted:
                yield parts[0], vector
        line = file.readline(_LONGEST)
    if count is not None and number != count:
        raise DataError(f'{path} is cut off or damaged: {number} of {count} words. Download it again.')


def _read_binary(
    path: Path, file: IO[bytes], wanted: dict[bytes, str], count: int, width: int, start: bytes
) -> Iterator[tuple[bytes, np.ndarray]]:
    """Yield the wanted words of word2vec's binary file: a word, a blank, ``width`` float32, and maybe a line end."""
    size, buffer, at = 4 * width, start, 0
    for number in range(count):
        end = buffer.find(b' ', at)
        if end < 0 or len(buffer) < end + 1 + size:
            buffer, at = buffer[at:] + file.read(_LONGEST + size), 0
            end = buffer.find(b' ')
            if end < 0 or len(buffer) < end + 1 + size:
                raise DataError(
                    f'{path} is cut off, damaged, or not a file of word vectors: {number} of {count} words. Download '
                    'it again.'
                )
        word = buffer[at:end].lstrip(b'\n')
        if word in wanted:
            yield word, np.frombuffer(buffer, '<f4', width, end + 1).astype(np.float32)
        at = end + 1 + size


def _numbers(fields: list[bytes], width: int) -> np.ndarray | None:
    """Return fields as numbers, or ``None``."""
    try:
        return np.array([float(field) for field in fields], np.float32) if len(fields) == width else None
    except ValueError:
        return None
