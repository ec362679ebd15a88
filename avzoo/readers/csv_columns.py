"""Read columns of tables with various delimiters and column names, or without a header."""

import csv
import io
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest
from avzoo.utils.regular_files import lines_of, open_regular, unreadable

Numbered = tuple[int, list[str]]  # number of the line that ends a row, and its fields
_DELIMITERS = ',;\t|'


class Columns(NamedTuple):
    """Some columns of a table: the rows, each with its line number, and the names of the columns that were not read."""

    rows: list[Numbered]
    unread: list[str]


def read_columns(path: Path, words: Mapping[str, Sequence[str]], optional: Sequence[str] = ()) -> list[list[str]]:
    """Return only the rows of :func:`read_numbered`."""
    return [row for _, row in read_numbered(path, words, optional).rows]


def read_numbered(path: Path, words: Mapping[str, Sequence[str]], optional: Sequence[str] = ()) -> Columns:
    """Read some columns of a table, skipping rows in which all fields are blank.

    Fields are separated by commas, semicolons, tabs or ``|``, whichever makes the first line name the columns. A
    file of two columns may lack that line if the label of its first row occurs again and no video does.

    Args:
        path: A text file in UTF-8, or in UTF-16 as spreadsheets write "Unicode text".
        words: Column -> its possible names in the first line, the most likely first. Case does not matter.
        optional: Which of these the file may lack; their fields are then empty.

    Raises:
        DataError: The file cannot be read, a column is missing or occurs twice, a row has more or fewer fields, or a
            quote is not closed.
    """
    text = _read_text(path)
    declared = re.match(r'sep=(.)\r?\n', text)
    delimiters = declared[1] if declared else _DELIMITERS
    lines = text[declared.end() :] if declared else text
    needed = [column for column in words if column not in optional]
    header, delimiter = _find_header(path, lines, delimiters, words, needed)
    if header is None:
        rows = _without_header(path, lines, delimiters, needed)
        return Columns([(line, [*row, *([''] * len(optional))]) for line, row in rows], [])
    offset = 1 if declared else 0
    parsed = _parse(path, lines, delimiter, offset, strict=True)
    rows = list(check_widths(path, header, parsed, delimiter))[1:]
    places = [_place(path, header, words[column]) for column in words]
    unread = [name for place, name in enumerate(header) if place not in places and name.strip()]
    return Columns([(n, ['' if place is None else row[place] for place in places]) for n, row in rows], unread)


def check_widths(
    path: Path, header: Sequence[str], rows: Iterable[Numbered], delimiter: str = ','
) -> Iterator[Numbered]:
    """Yield the rows that are as wide as the header, then refuse all others in one error."""
    odd: list[tuple[int, int]] = []
    for line, row in rows:
        if len(row) == len(header):
            yield line, row
        else:
            odd.append((line, len(row)))
    longer = [(line, width) for line, width in odd if width > len(header)]
    if longer:
        raise DataError(
            f'{path}: {_describe(longer, "more", len(header))}. Quote names that contain the delimiter: '
            f'"dog{delimiter} barking".'
        )
    if odd:
        raise DataError(f'{path}: {_describe(odd, "fewer", len(header))}; the file is cut off or damaged.')


def _describe(odd: Sequence[tuple[int, int]], how: str, width: int) -> str:
    line, found = odd[0]
    others = ', '.join(str(line) for line, _ in odd[1:6]) + (', ...' if len(odd) > 6 else '')
    more = f' ({len(odd)} such lines; the others are {others})' if others else ''
    return f'line {line} has {number_of(found, "field")}, {how} than the {width} of the first line{more}'


def _read_text(path: Path) -> str:
    try:
        with open_regular(path) as file:
            encoding = _encoding_of(file.read(2))
        text = ''.join(lines_of(path, newline='', encoding=encoding))
        return text.lstrip('\ufeff')  # two marks where a program put one before another's
    except FileNotFoundError:
        raise DataError(f'{path} does not exist.') from None
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError as error:
        raise DataError(f'{path} cannot be read as a table: {error}. Save it as UTF-8.') from None


def _encoding_of(start: bytes) -> str:
    """Tell UTF-8 from UTF-16, which has a byte order mark, or a zero byte in the first letter of the header."""
    if start in (BOM_UTF16_LE, BOM_UTF16_BE):
        return 'utf-16'
    return {start[:1]: 'utf-16-be', start[1:]: 'utf-16-le'}.get(b'\0', 'utf-8-sig')


def _parse(path: Path, text: str, delimiter: str, offset: int = 0, *, strict: bool = False) -> list[Numbered]:
    """Return the rows that are not blank; ``strict`` refuses quotes that would hide the rows after them."""
    # StringIO, not str.splitlines: that also breaks at characters such as U+2028, which a name may hold.
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, skipinitialspace=True, strict=strict)
    rows: list[Numbered] = []
    end = offset
    try:
        for row in reader:
            end = reader.line_num + offset
            if any(map(str.strip, row)):
                rows.append((end, row))
    except csv.Error as error:
        raise DataError(
            f'{path}: the row that begins at line {end + 1} cannot be read: {error}. Close each quote right before '
            'a delimiter or the end of the line, and double each quote inside a quoted field.'
        ) from None
    return rows


def _first_line(text: str) -> str:
    found = re.search(r'[^\r\n]*\S[^\r\n]*', text)
    return found[0] if found else ''


def _fold(word: str) -> str:
    return re.sub(r'[\s-]+', '_', word.strip().casefold())


def _place(path: Path, header: Sequence[str], words: Sequence[str]) -> int | None:
    """Return the position of the first of the words that the header has."""
    names = [_fold(name) for name in header]
    found = next((word for word in words if word in names), None)
    if found is None:
        return None
    if names.count(found) > 1:
        raise DataError(f'{path}: two columns are called {found!r}. Rename or remove one of them.')
    return names.index(found)


def _find_header(
    path: Path, text: str, delimiters: str, words: Mapping[str, Sequence[str]], needed: Sequence[str]
) -> tuple[list[str] | None, str]:
    """Return the header and the delimiter; ``None`` if the first line names none of the columns."""
    first = _first_line(text)
    headers = {mark: rows[0][1] for mark in delimiters if (rows := _parse(path, first, mark))}
    if not headers:
        names = ','.join(needed)
        raise DataError(f'{path}: the table is empty. Make the first line `{names}`, and add the rows below it.')
    known = {mark: [c for c in words if _place(path, names, words[c]) is not None] for mark, names in headers.items()}
    mark = max(known, key=lambda mark: len(known[mark]))
    missing = [column for column in needed if column not in known[mark]]
    # Without a header, the first label may be the word of an optional column, such as "stop".
    if missing and known[mark] and (missing != needed or len(needed) == 1):
        header = headers[mark]
        raise DataError(
            f'{path}: no column {missing[0]!r}; its first line has {", ".join(header)}. Add the column; it may also be '
            f'called {", ".join(words[missing[0]][1:])}.' + nearest(missing[0], header)
        )
    return (None, mark) if missing else (headers[mark], mark)


def _without_header(path: Path, text: str, delimiters: str, needed: Sequence[str]) -> list[Numbered]:
    """Return video and label of a file without a header, if it is clear which is which."""
    for mark in delimiters:
        rows = _parse(path, text, mark)
        if len(needed) == 2 and all(len(row) == 2 for _, row in rows):
            counts = [Counter(column) for column in zip(*(row for _, row in rows), strict=True)]
            unique = [max(count.values()) == 1 for count in counts]
            if sorted(unique) == [False, True] and counts[unique.index(False)][rows[0][1][unique.index(False)]] > 1:
                video = unique.index(True)
                return [(line, [row[video], row[1 - video]]) for line, row in rows]
    first = _first_line(text)
    raise DataError(
        f'{path}: no column {needed[-1]!r}; its first line {first[:80]!r} names none of the columns {list(needed)}. '
        f'Make the first line `{",".join(needed)}`, with a name for each column that the file has.'
    )
