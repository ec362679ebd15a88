"""Let one process at a time work on a file or a folder; where the system has no such locks, hope for the best."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from avzoo.utils.errors import AvzooError

try:
    import fcntl
except ImportError:
    fcntl = None

_PATIENCE = 10.0  # Seconds that the loader workers of a killed run may outlive it, and hold its lock.


@contextmanager
def locked(target: str | os.PathLike) -> Iterator[None]:
    """Wait for one's turn at a file, of all threads of all processes.

    Args:
        target: The file; it need not exist. Its folder is made if needed.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(f'.{target.name}.lock')
    while True:
        with open(path, 'w') as file:
            _take(file)
            if not _is_at(path, file.fileno()):
                continue  # Whoever had its turn before removed this very file.
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


@contextmanager
def held_alone(folder: Path, busy: str) -> Iterator[None]:
    """Hold a folder for this process; the lock ends with the process, however that ends.

    Args:
        folder: The folder; it gets a hidden file ``.lock``.
        busy: What to say if another process holds it.

    Raises:
        AvzooError: If another process holds it.
    """
    with open(folder / '.lock', 'w') as file:
        if not _take(file, patience=_PATIENCE):
            raise AvzooError(busy)
        try:
            yield
        finally:  # Closing is not enough: loader workers that were forked meanwhile share the open file.
            if fcntl is not None:
                with suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_UN)


def _take(file: IO, patience: float | None = None) -> bool:
    """Lock an open file; returns whether that came about within so many seconds (by default it waits for ever)."""
    end = time.monotonic() + (patience or 0.0)
    while fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if patience is None else fcntl.LOCK_NB))
            break
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.2)
        except OSError:  # A file system without locks.
            break
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
