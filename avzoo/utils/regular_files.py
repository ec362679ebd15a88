"""Read files of unknown origin in bounded time and memory: no pipes, no devices, no endless lines."""

import errno
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from avzoo.utils.errors import DataError

MAX_LINE = 1 << 20  # Characters. A line of a list is a name, and a row of a table a few names.
_CURES = {
    errno.EACCES: 'Check its permissions.',
    errno.EMFILE: 'Raise the limit on open files (ulimit -n), or lower num_workers.',
    errno.ENFILE: 'Close other programs: the system has too many open files.',
    errno.EIO: 'Check the disk.',
    errno.ENOMEM: 'Free some memory.',
}


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading bytes; never a pipe, which would block, or a device, which might never end.

    Raises:
        DataError: If it is anything but a file.
        OSError: If it cannot be opened, or does not exist.
    """
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)  # First: to open some devices does something.
    except ValueError as error:  # A NUL in the name.
        raise FileNotFoundError(errno.ENOENT, str(error), str(path)) from None
    if is_file:
        file = open(path, 'rb', opener=_open_at_once)  # noqa: SIM115 - the caller closes it.
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    raise DataError(f'{path} is not a file but a folder, a pipe or a device. Put a file in its place.')


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
        raise DataError(f'{path} is longer than {at_most:,} bytes, which no such file is. Restore it.')
    return content.decode('utf-8')


def lines_of(path: str | os.PathLike[str], *, newline: str | None = None) -> Iterator[str]:
    """Read a UTF-8 text line by line.

    Args:
        path: The file.
        newline: As for :func:`open`.

    Raises:
        DataError: If a line is longer than ``MAX_LINE``, or this is not a file.
        OSError: If it cannot be read.
        UnicodeDecodeError: If it is not UTF-8.
    """
    with open_regular(path) as raw, io.TextIOWrapper(raw, encoding='utf-8-sig', newline=newline) as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise DataError(f'{path}: line {number} is longer than {MAX_LINE:,} characters. Restore the file.')
            yield line


def unreadable(path: str | os.PathLike[str], error: OSError) -> DataError:
    """Return the error of a file that cannot be opened or read: why, and what helps."""
    cure = _CURES.get(error.errno or 0, 'Check the path.')
    return DataError(f'{Path(path)} cannot be read: {error.strerror or error}. {cure}')


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, 'O_NONBLOCK', 0))
