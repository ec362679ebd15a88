"""The format of a feature store on disk: names, tables and headers shared by its reader and its writer."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avzoo.utils.errors import DataError

FORMAT = 'avzoo-feature-store'
VERSION = 1
DTYPES = ('float32', 'float16')
UNKNOWN_EMBEDDING = 'text'  # name of class vectors that do not say which text embedding they are
MODALITY_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*')  # it becomes a file name, a column and a keyword
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


def check_names(names: Sequence[str], what: str) -> None:
    """Refuse names that occur twice, or that a table or a list with one entry per line would not preserve.

    Args:
        names: All names of one kind.
        what: File and kind of the names, for the error, e.g. ``videos.csv: video``.

    Raises:
        DataError: A name is empty, has outer white space, holds a control character, or occurs twice.
    """
    wrong = next((name for name in names if not name or name != name.strip()), None)
    if wrong is None and _CONTROL.search(''.join(names)):  # one search over all names is fast
        wrong = next(filter(_CONTROL.search, names))
    if wrong is not None:
        raise DataError(
            f'{what} {wrong!r} is empty, has white space around it, or holds a line break or another '
            'control character. Rename it.'
        )
    if len(set(names)) != len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise DataError(f'{what} {twice!r} comes twice. Rename or remove one of them.')


def read_csv(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> list[list[str]]:
    """Read the named columns of a UTF-8 csv file, in that order; then optional ones, empty where the file has none.

    Raises:
        DataError: The file is missing, is not UTF-8, lacks a column, or has a row that is too short.
    """
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            rows = csv.reader(file)
            header = next(rows, [])
            missing = [name for name in columns if name not in header]
            if missing:
                raise DataError(
                    f'{path}: no column {missing[0]!r}; its first line names {header}, '
                    f'and the columns {list(columns)} are needed.'
                )
            places = [header.index(name) if name in header else None for name in (*columns, *optional)]
            return [['' if place is None else row[place] for place in places] for row in rows if row]
    except FileNotFoundError:
        raise DataError(f'{path} does not exist.') from None
    except IndexError:
        raise DataError(
            f'{path}: a line has fewer fields than the {len(header)} of the first line; the file is cut off or damaged.'
        ) from None
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise DataError(f'{path} cannot be read as a UTF-8 csv file: {error}') from None


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a UTF-8 csv file with a header line."""
    with open(path, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(columns)
        writer.writerows(rows)


def read_lines(path: Path) -> list[str]:
    """Read a UTF-8 text file with one entry per line, without blank lines and outer white space."""
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except FileNotFoundError:
        raise DataError(f'{path} does not exist.') from None
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f'{path} cannot be read as UTF-8 text: {error}') from None
    # Not str.splitlines: it also breaks at characters such as U+2028, which a name may hold.
    return [line for line in (part.strip() for part in text.split('\n')) if line]


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
