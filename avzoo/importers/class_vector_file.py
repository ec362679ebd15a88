"""Make class vectors from word vectors or a text encoder, and write them with their names and origin."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.importers.class_order import alike
from avzoo.importers.class_vectors import safe_name
from avzoo.text.class_words import mean_word_vectors, split_name
from avzoo.text.encoder_files import find_encoder, weight_files
from avzoo.text.text_encoders import TextEncoder
from avzoo.utils.errors import DataError
from avzoo.utils.files import atomic_path, check_out, joint_sha256, sha256_of


@dataclass(frozen=True)
class MadeVectors:
    """Class vectors and where they come from.

    Attributes:
        names: The labels.
        array: (C, d) float32.
        provenance: ``kind`` (name of the text embedding in a store), ``source``, ``sha256``, ``options``, and
            ``words`` {label: what was encoded, or the words that were averaged}.
        notes: What a reader should know about single classes, one line each.
    """

    names: tuple[str, ...]
    array: np.ndarray
    provenance: dict[str, Any]
    notes: tuple[str, ...] = ()


def make_class_vectors(
    texts: Mapping[str, str],
    text: str,
    *,
    template: str | None = None,
    unit_length: bool = False,
) -> MadeVectors:
    """Return the vectors of some classes.

    Args:
        texts: {label: the class in words}.
        text: A file of word vectors, see :func:`read_word_vectors`, or a text encoder, see :func:`find_encoder`.
        template: What an encoder reads, with ``{}`` for the class.
        unit_length: Scale each vector to length 1.
    """
    if template is not None and template.count('{}') != 1:
        raise DataError(f'--template {template!r} must contain {{}} once, which is replaced by the class.')
    path = Path(text).expanduser()
    options: dict[str, Any] = dict(unit_length=unit_length)
    if path.is_file():
        if template is not None:
            raise DataError(f'--template is for text encoders; {path} holds vectors of single words. Leave it out.')
        array, words, notes = _from_words(path, texts)
        stem, digest = path.name.removesuffix('.gz'), sha256_of(path)
        stem = stem.rsplit('.', 1)[0] if '.' in stem[1:] else stem
    elif _is_path(text):
        raise DataError(f'--text {text}: there is no such file or folder.')
    else:
        options['template'] = template or '{}'
        array, words, digest = _from_encoder(text, texts, options['template'])
        stem, notes = path.resolve().name if path.is_dir() else text, ()
    if unit_length:
        array = array / np.linalg.norm(array, axis=1, keepdims=True)
    _check(text, array, list(texts))
    mark = hashlib.sha256(json.dumps([digest, options], sort_keys=True).encode()).hexdigest()[:8]
    provenance = dict(
        kind=f'{safe_name(stem)}_{mark}',
        source=path.name if path.exists() else text,
        sha256=digest,
        options=options,
        words=words,
    )
    return MadeVectors(
        tuple(texts),
        array.astype(np.float32),
        provenance,
        notes + tuple(f'{", ".join(group)}: the same vector' for group in alike(texts, array)),
    )


def write_class_vectors(path: str | os.PathLike[str], made: MadeVectors) -> Path:
    """Write a ``.npz`` of ``names`` (C,), ``vectors`` (C, d) and ``provenance``, a text of JSON; it holds no pickle."""
    path = check_vectors_out(path)
    provenance = json.dumps(made.provenance, ensure_ascii=False)
    with atomic_path(path) as partial, open(partial, 'wb') as file:
        np.savez(file, names=np.array(made.names), vectors=made.array, provenance=np.array(provenance))
    return path


def check_vectors_out(path: str | os.PathLike[str]) -> Path:
    """Refuse a file that class vectors cannot be written to."""
    path = Path(path)
    if path.suffix != '.npz' or path.is_dir():
        raise DataError(f'{path} cannot be the file of class vectors: name a file that ends in .npz.')
    return check_out(path)


def _is_path(text: str) -> bool:
    """Return whether a name that does not exist was meant as a path; a model of the hub is NAME or OWNER/NAME."""
    is_file = Path(text).suffix in ('.txt', '.vec', '.bin', '.gz', '.kv', '.wordvectors', '.zip', '.npy', '.npz')
    return not Path(text).expanduser().is_dir() and (is_file or text.count('/') > 1 or text[:1] in ('.', '~', '/'))


def _from_words(path: Path, texts: Mapping[str, str]) -> tuple[np.ndarray, dict[str, str], tuple[str, ...]]:
    found = mean_word_vectors(path, texts)
    words = {label: ' + '.join(named.words) for label, named in found.items()}
    notes = tuple(
        f'{label}: {words[label]}' + (f' (unknown: {", ".join(named.unknown)})' if named.unknown else '')
        for label, named in found.items()
        if len(named.words) > 1 or named.unknown
    )
    return np.stack([named.vector for named in found.values()]), words, notes


def _from_encoder(name: str, texts: Mapping[str, str], template: str) -> tuple[np.ndarray, dict[str, str], str]:
    folder = find_encoder(name)
    encoder = TextEncoder(folder)
    words = {label: template.replace('{}', _spoken(label, text)) for label, text in texts.items()}
    return encoder.encode(list(words.values())), words, joint_sha256(weight_files(folder))


def _spoken(label: str, text: str) -> str:
    """Return a class in words: its text, or the parts of its label."""
    return text if text != label else ' '.join(split_name(label)) or label


def _check(source: str, array: np.ndarray, names: Sequence[str]) -> None:
    """Refuse vectors that are zero or not finite."""
    bad = [name for name, row in zip(names, array, strict=True) if not np.isfinite(row).all() or not row.any()]
    if bad:
        raise DataError(f'{source} gives NaN, infinity or zeros for {", ".join(map(repr, bad))}. Use another one.')
