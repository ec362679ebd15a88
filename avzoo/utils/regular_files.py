"""Read files of unknown origin in bounded time and memory: no pipes, no devices, no endless lines."""

import errno
import io
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from avzoo.utils.errors import AvzooError, DataError
from avzoo.utils.host_errors import why_unreadable

MAX_LINE = 1 << 20  # Characters. A line of a list is a name, and a row of a table a few names.
MAX_FACTS = 16 << 20  # Bytes of a small JSON file, which needs up to 30 times its size in memory.


def open_regular(path: str | os.PathLike[str], error: type[AvzooError] = DataError) -> BinaryIO:
    """Open a file for reading bytes; never a pipe, which would block, or a device, which might never end.

    Args:
        path: The file.
        error: Class of the error to raise for anything but a regular file.

    Raises:
        AvzooError: If it is not a regular file.
        OSError: If it cannot be opened, or does not exist.
    """
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)  # First, since opening some devices has effects.
    except ValueError as nul:  # In the name.
        raise FileNotFoundError(errno.ENOENT, str(nul), str(path)) from None
    if is_file:
        file = open(path, 'rb', opener=_open_at_once)  # noqa: SIM115 - the caller closes it.
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    raise error(f'{path} is not a file but a folder, a pipe or a device. Put a file in its place.')


def open_readable(path: str | os.PathLike[str], error: type[AvzooError] = DataError) -> BinaryIO:
    """Open a file as with :func:`open_regular`, and also raise ``error`` if it cannot be opened."""
    try:
        return open_regular(path, error)
    except OSError as problem:
        raise unreadable(path, problem, error) from problem


def read_text(path: str | os.PathLike[str], *, at_most: int) -> str:
    """Return the content of a UTF-8 file.

    Raises:
        DataError: If it is longer than ``at_most`` bytes, or not a file.
        OSError: If it cannot be read.
        UnicodeDecodeError: If it is not UTF-8.
    """
    with open_regular(path) as file:
        content = file.read(at_most + 1)
    if len(content) > at_most:
        raise DataError(f'{path} is longer than {at_most:,} bytes, too long for such a file. Restore it.')
    return content.decode('utf-8')


def read_json(path: str | os.PathLike[str], *, at_most: int = MAX_FACTS) -> Any:
    """Return the content of a JSON file, which may be of any type.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not JSON in UTF-8, longer than ``at_most`` bytes, or nested too deeply.
    """
    try:
        return json.loads(read_text(path, at_most=at_most))
    except DataError as error:
        raise ValueError(str(error).removeprefix(f'{path} ')) from None
    except RecursionError:
        raise ValueError('it is nested too deeply') from None


def read_kept(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the dict in a JSON file that can be rewritten; empty if the file is missing or damaged."""
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def lines_of(path: str | os.PathLike[str], *, newline: str | None = None, encoding: str = 'utf-8-sig') -> Iterator[str]:
    """Read a text line by line.

    Args:
        path: The file.
        newline: As for :func:`open`.
        encoding: As for :func:`open`; by default UTF-8, with or without a byte-order mark.

    Raises:
        DataError: If a line is longer than ``MAX_LINE``, or this is not a file.
        OSError: If it cannot be read.
        UnicodeDecodeError: If it does not have that encoding.
    """
    with open_regular(path) as raw, io.TextIOWrapper(raw, encoding=encoding, newline=newline) as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise DataError(f'{path}: line {number} is longer than {MAX_LINE:,} characters. Restore the file.')
            yield line


def unreadable(path: str | os.PathLike[str], error: OSError, kind: type[AvzooError] = DataError) -> AvzooError:
    """Return the error for a file that cannot be opened or read: why, and the cure."""
    return kind(f'{Path(path)} cannot be read: {why_unreadable(error)}')


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, 'O_NONBLOCK', 0))
