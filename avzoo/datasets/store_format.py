"""The format of a feature store on disk: names, tables and headers shared by its reader and its writer."""

import csv
import io
import re
import reprlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.readers.csv_columns import check_widths
from avzoo.utils.errors import ConfigError, DataError
from avzoo.utils.paths import stays_inside
from avzoo.utils.printable import quoted
from avzoo.utils.regular_files import lines_of, unreadable

FORMAT = 'avzoo-feature-store'
VERSION = 1
DTYPES = ('float32', 'float16')
UNKNOWN_EMBEDDING = 'text'  # name of class vectors that do not say which text embedding they are
MODALITY_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*')  # it becomes a file name, a column and a keyword
LONGEST_STEP = 86_400  # Seconds; positions in time must stay ordinary numbers.
MAX_NAME = 1000  # Characters: a table of names takes as much memory for each as for the longest.
_LARGEST = 1e15  # The sum of the squares of a million such values is a float32.
_LEAST_OF_HALF = 2.0**-14  # Below it float16 loses digits, and soon all.
_CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\ud800-\udfff]')  # control characters; halves of a pair, which UTF-8 lacks


@dataclass(frozen=True)
class Modality:
    """One stream of features: its width, how it is stored, and the time one step covers.

    Args:
        name: ``audio`` or ``visual``.
        dim: Width D of one step.
        dtype: ``float32`` or ``float16``, as stored; reading always gives float32.
        seconds_per_step: Seconds of the clip that one step covers.
    """

    name: str
    dim: int
    dtype: str
    seconds_per_step: float


def check_name(name: str, what: str) -> None:
    """Refuse a name that cannot be that of a file, a column and a keyword."""
    if not isinstance(name, str) or not MODALITY_NAME.fullmatch(name):
        raise DataError(f'{what} {name!r}: a name of letters, digits and underscores is needed.')


def check_names(names: Sequence[str], what: str) -> None:
    """Refuse names that occur twice, are too long, or would be changed by a table or a list.

    Args:
        names: All names of one kind.
        what: File and kind of the names, for the error, e.g. ``videos.csv: video``.

    Raises:
        DataError: A name is empty, has outer white space, holds a control character, is too long, or occurs twice.
    """
    wrong = next((name for name in names if not name or name != name.strip()), None)
    if wrong is None and _CONTROL.search(''.join(names)):  # one search over all names is fast
        wrong = next(filter(_CONTROL.search, names))
    if wrong is not None:
        raise DataError(
            f'{what} {wrong!r} is empty, has white space around it, or holds a line break or another '
            'control character. Rename it.'
        )
    if max(map(len, names), default=0) > MAX_NAME:
        raise DataError(f'{what} {max(names, key=len)[:40]!r}... is longer than {MAX_NAME:,} characters. Shorten it.')
    if len(set(names)) != len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise DataError(f'{what} {twice!r} occurs twice. Rename or remove one of them.')


def check_paths(names: Iterable[str], what: str) -> None:
    """Refuse names that lead out of the folder that holds a file for each.

    Args:
        names: The names.
        what: Where they stand, for the error.
    """
    for name in names:
        if not stays_inside(name):
            raise DataError(
                f'{what} {quoted(name)} cannot be the name of a file below a folder: it is absolute, has an empty part '
                'or one of dots, or a backslash, a colon or a control character. Rename it.'
            )


def shots_folder(root: Path, num_shots: int) -> Path:
    """Return the folder of the K-shot lists of a store.

    Raises:
        ConfigError: K is not a whole number of at least 1.
    """
    if not isinstance(num_shots, int | np.integer) or isinstance(num_shots, bool) or num_shots < 1:
        raise ConfigError(f'num_shots={num_shots!r} is not possible. It must be a whole number of at least 1.')
    return root / 'splits' / f'{num_shots}shot'


def number_problem(values: np.ndarray, dtype: str = 'float32') -> str:
    """Say why values cannot be features or vectors of a dtype, before they are converted; empty if they can.

    Numbers of more bits would become infinite, and complex ones would lose their imaginary part.
    """
    if values.dtype.kind not in 'biuf':
        return f'dtype {values.dtype}, which are not numbers'
    if not np.isfinite(values).all():
        return 'NaN or infinity'
    largest = max(abs(float(values.max())), abs(float(values.min()))) if values.size else 0.0
    if dtype == 'float16' and largest >= 65520:  # What is less is rounded to 65504.
        return 'numbers beyond the range of float16 (65504; use float32)'
    if dtype == 'float16' and 0 < largest < _LEAST_OF_HALF:
        return f'numbers below {_LEAST_OF_HALF:.0e} only, of which float16 keeps next to nothing (use float32)'
    return f'numbers beyond {_LARGEST:g}, whose norm float32 cannot hold (divide them)' if largest > _LARGEST else ''


def unmasked(values: Any) -> np.ndarray:
    """Return values as an array.

    Raises:
        TypeError: Some are masked: what the mask hides would be taken for features.
    """
    if np.ma.is_masked(values):
        raise TypeError('some of its values are masked')
    return np.asarray(values)


def check_feature_set(what: str, features: object, modalities: Collection[str]) -> None:
    """Refuse a set of features that is not modality -> text.

    Args:
        what: Where it stands, for the error.
        features: The set.
        modalities: Those of the store; it may name only some of them.
    """
    named = features if isinstance(features, Mapping) else {None: features}
    wrong = {key: text for key, text in named.items() if key not in modalities or not _is_plain(text)}
    if wrong:
        key, text = next(iter(wrong.items()))
        raise DataError(
            f'{what} has {key!r}: {text!r}; one of {", ".join(modalities)} and a description of its features, as '
            'one line of text, are needed.'
        )


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and text.strip() == text != '' and not _CONTROL.search(text)


def read_csv(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> list[list[str]]:
    """Read the named columns of a UTF-8 csv file, in that order; then optional ones, empty where the file has none.

    Raises:
        DataError: The file is missing, is not UTF-8, lacks a column, or has rows that are too short or too long.
    """
    try:
        rows = csv.reader(lines_of(path, newline=''))
        header = next(rows, [])
        missing = [name for name in columns if name not in header]
        if missing:
            raise DataError(
                f'{path}: no column {missing[0]!r}; its first line names {reprlib.repr(header)}, '
                f'and the columns {list(columns)} are needed.'
            )
        places = [header.index(name) if name in header else None for name in (*columns, *optional)]
        whole = check_widths(path, header, ((rows.line_num, row) for row in rows if row))
        return [['' if place is None else row[place] for place in places] for _, row in whole]
    except FileNotFoundError:
        raise DataError(f'{path} does not exist.') from None
    except OSError as error:
        raise unreadable(path, error) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f'{path} cannot be read as a UTF-8 csv file: {error}. Restore it.') from None


def npy_bytes(array: np.ndarray) -> memoryview:
    """Return an array as a ``.npy`` file holds it; ``numpy.save`` to a file does not report its last error."""
    content = io.BytesIO()
    np.save(content, array)
    return content.getbuffer()


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a UTF-8 csv file with a header line."""
    with open(path, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(columns)
        writer.writerows(rows)


def read_lines(path: Path) -> list[str]:
    """Read a UTF-8 text file with one entry per line, without blank lines and outer white space."""
    try:
        # Not str.splitlines: it also breaks at characters such as U+2028, which a name may hold.
        return [line for line in map(str.strip, lines_of(path)) if line]
    except FileNotFoundError:
        raise DataError(f'{path} does not exist.') from None
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError as error:
        raise DataError(f'{path} cannot be read as UTF-8 text: {error}. Restore it.') from None


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write one entry per line as UTF-8."""
    with open(path, 'w', encoding='utf-8', newline='\n') as file:
        file.writelines(f'{line}\n' for line in lines)


def npy_header(dtype: str, shape: tuple[int, int], size: int = 128) -> bytes:
    """Return the header of a ``.npy`` file, always ``size`` bytes long, so that it can be rewritten after the data.

    Format 1.0: magic, version, length of the text, and the text padded with blanks up to a final newline.
    """
    text = f"{{'descr': '{np.dtype(dtype).newbyteorder('<').str}', 'fortran_order': False, 'shape': {shape}, }}"
    return b'\x93NUMPY\x01\x00' + (size - 10).to_bytes(2, 'little') + text.ljust(size - 11).encode('latin1') + b'\n'
