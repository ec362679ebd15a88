"""Open and check the files of a feature store; every error names the file and what to do."""

import reprlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.datasets.store_format import (
    DTYPES,
    FORMAT,
    LONGEST_STEP,
    MODALITY_NAME,
    VERSION,
    check_feature_set,
    check_names,
    read_csv,
)
from avzoo.utils.atomic_folder import restore_folder
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, first_line, nearest
from avzoo.utils.files import sha256_of
from avzoo.utils.paths import stays_inside
from avzoo.utils.regular_files import open_regular, read_json, unreadable

_MAX_META = 16 << 20  # Bytes of store.json: a hundred for each list and array.
_HINT = 'Restore the file or import the data again (tools/dataset_converters/).'


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**63  # not isinstance: True is an int too


def _is_inside(value: Any) -> bool:
    """Return whether a file name is a path inside the store."""
    return _is_text(value) and value.isprintable() and stays_inside(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


# What store.json must hold: key -> check of its value
_STORE: dict[str, Callable[[Any], bool]] = dict(
    name=_is_text,
    num_videos=_is_count,
    class_embeddings=_is_table,
    modalities=lambda value: _is_table(value) and bool(value) and all(map(MODALITY_NAME.fullmatch, value)),
    sha256=lambda value: _is_table(value) and all(map(_is_inside, value)) and all(map(_is_text, value.values())),
)
_ARRAY = dict(dim=_is_count, file=_is_inside, sha256=_is_text)
_MODALITY = _ARRAY | dict(
    num_steps=_is_count,
    dtype=lambda value: value in DTYPES,
    seconds_per_step=lambda value: type(value) in (int, float) and 0 < value <= LONGEST_STEP,
)


def read_meta(root: Path) -> dict[str, Any]:
    """Read and check ``store.json``."""
    path = root / 'store.json'
    if not root.exists():
        restore_folder(root)
    meta = _content(path)
    for key, entry in meta['modalities'].items():
        _check_entries(path, f'modalities.{key}.', entry, _MODALITY)
    check_feature_set(f'{path}: features', meta.get('features', {}), meta['modalities'])
    for key, entry in meta['class_embeddings'].items():
        _check_entries(path, f'class_embeddings.{key}.', entry, _ARRAY)
    check_names([meta['name']], f'{path}: name')
    check_names([entry['file'] for entry in meta['modalities'].values()], f'{path}: file of a modality')
    return meta


def _content(path: Path) -> dict[str, Any]:
    """Return the content of ``store.json``, which must be of this format."""
    try:
        meta = read_json(path, at_most=_MAX_META)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f'No feature store at {path.parent}: {path} does not exist. Check data_root '
            '(--cfg-options data_root=STORE), or make the store with a tool of tools/dataset_converters/ '
            "(the authors' features: tools/download.py --dataset NAME)."
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError as error:
        raise DataError(f'{path} is not valid JSON: {error}. {_HINT}') from None
    found = (meta.get('format'), meta.get('version')) if isinstance(meta, dict) else (None, None)
    if found != (FORMAT, VERSION):
        raise DataError(
            f'{path}: format {found[0]!r} version {found[1]!r}; this avzoo reads {FORMAT!r} version '
            f'{VERSION}. Import the data again.'
        )
    meta.setdefault('class_embeddings', {})
    meta.setdefault('sha256', {})
    _check_entries(path, '', meta, _STORE)
    return meta


def verify_checksums(root: Path, meta: dict[str, Any]) -> None:
    """Recompute the SHA-256 of every file that ``store.json`` names."""
    verify_tables(root, meta)
    for entry in meta['modalities'].values():
        verify_file(root, entry['file'], entry['sha256'])


def verify_tables(root: Path, meta: dict[str, Any], num_shots: int | None = None) -> None:
    """Recompute the SHA-256 of tables, lists and class vectors: of all that is small.

    Args:
        root: The store.
        meta: The content of its ``store.json``.
        num_shots: Only the lists of this K; by default those of every K.
    """
    folder = '*shot' if num_shots is None else f'{num_shots}shot'
    for path in sorted((root / 'splits').glob(f'{folder}/*.txt')):
        if path.relative_to(root).as_posix() not in meta['sha256']:
            raise DataError(
                f'{path} has no checksum in store.json: writing it was not finished. Draw the splits '
                'again with tools/dataset_converters/splits.py.'
            )
    if missing := {'videos.csv', 'classes.csv'} - meta['sha256'].keys():  # Another label would go unnoticed.
        raise DataError(f'{root / "store.json"} has no checksum of {min(missing)}. {_HINT}')
    for name, digest in meta['sha256'].items():
        if num_shots is None or not name.startswith('splits/') or name.startswith(f'splits/{folder}/'):
            verify_file(root, name, digest)
    for entry in meta['class_embeddings'].values():
        verify_file(root, entry['file'], entry['sha256'])


def verify_file(root: Path, name: str, digest: str) -> None:
    """Refuse a file of a store whose SHA-256 differs from that in ``store.json``."""
    path = root / name
    if not path.is_file():
        raise DataError(f'{path} is missing. {_HINT}')
    found = sha256_of(path)
    if found != digest:
        raise DataError(
            f'{path}: wrong checksum: its SHA-256 is {found[:16]}..., store.json says '
            f'{digest[:16]}...; it changed after the store was written. {_HINT}'
        )


def open_array(path: Path, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Map a ``.npy`` file read-only after checking that it is complete and has the expected shape and dtype."""
    try:
        open_regular(path).close()  # A pipe of that name would block.
        with np.errstate(over='ignore'):  # A size beyond all bounds is refused anyway.
            array = np.lib.format.open_memmap(path, mode='r')  # not np.load: it also opens an .npz of that name
    except FileNotFoundError:
        raise DataError(f'{path} is missing. {_HINT}') from None
    except OSError as error:
        raise unreadable(path, error) from None
    except DataError:
        raise
    except Exception as error:  # a damaged header can fail anywhere in numpy's parser, with any exception
        size = path.stat().st_size
        raise DataError(f'{path} is cut off or damaged ({size} bytes on disk; {first_line(error)}). {_HINT}') from None
    if array.shape != shape or array.dtype != np.dtype(dtype) or not array.flags.c_contiguous:
        raise DataError(
            f'{path}: {array.dtype} array of shape {array.shape}, store.json says {dtype} of shape {shape}. {_HINT}'
        )
    # A bare ndarray over the map: np.memmap's own indexing is several times slower.
    return np.asarray(array)


def read_videos(
    root: Path, meta: dict[str, Any], class_names: list[str]
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Read ``videos.csv``.

    Returns:
        Video ids (N,) str, labels (N,) int64, and per modality the first row and the length, (N,) int64 each.
    """
    path = root / 'videos.csv'
    columns = [f'{key}_{what}' for key in meta['modalities'] for what in ('start', 'len')]
    rows = read_csv(path, ['video_id', 'label', *columns])
    if len(rows) != meta['num_videos'] or not rows:
        raise DataError(f'{path} has {number_of(len(rows), "video")}, store.json says {meta["num_videos"]}. {_HINT}')
    ids, labels, *numbers = zip(*rows, strict=True)
    check_names(ids, f'{path}: video')
    order = {label: i for i, label in enumerate(class_names)}
    try:
        indices = np.fromiter((order[label] for label in labels), np.int64, len(labels))
        table = {
            name: np.fromiter(map(int, column), np.int64, len(column))
            for name, column in zip(columns, numbers, strict=True)
        }
    except KeyError as error:
        raise DataError(f'{path}: class {error} is not in classes.csv.' + nearest(error.args[0], order)) from None
    except (ValueError, OverflowError) as error:
        raise DataError(f'{path}: a start or a length is not a whole number ({error}). {_HINT}') from None
    offsets = {key: table[f'{key}_start'] for key in meta['modalities']}
    lengths = {key: table[f'{key}_len'] for key in meta['modalities']}
    for key, entry in meta['modalities'].items():
        _check_ranges(path, key, ids, offsets[key], lengths[key], entry['num_steps'])
    return np.array(ids), indices, offsets, lengths


def _check_entries(path: Path, place: str, entry: Any, rules: Mapping[str, Callable[[Any], bool]]) -> None:
    for key, is_right in rules.items():
        value = entry.get(key) if isinstance(entry, dict) else None
        if not is_right(value):
            raise DataError(f'{path} is damaged: {place}{key} is {reprlib.repr(value)}. {_HINT}')


def _check_ranges(
    path: Path, key: str, ids: tuple[str, ...], start: np.ndarray, length: np.ndarray, num_steps: int
) -> None:
    wrong = np.flatnonzero((start < 0) | (length < 1) | (length > num_steps) | (start > num_steps - length))
    if len(wrong):
        i = wrong[0]
        raise DataError(
            f'{path}: {key} of video {ids[i]!r} (start {start[i]}, length {length[i]}) lies outside the '
            f'{num_steps} stored steps. {_HINT}'
        )
    order = np.argsort(start, kind='stable')
    shared = np.flatnonzero(start[order[1:]] < (start + length)[order[:-1]])
    if len(shared):  # Otherwise a video of the training could be one of the test under another name.
        one, other = ids[order[shared[0]]], ids[order[shared[0] + 1]]
        raise DataError(f'{path}: {key} of the videos {one!r} and {other!r} share some stored steps. {_HINT}')
