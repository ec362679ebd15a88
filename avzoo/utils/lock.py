"""Let one process at a time work on a file or a folder; on a file system without locks, nothing is locked.

The locks are those of the package filelock. They end with the process, and a forked loader worker does not inherit
them. Added here: the lock file is removed after use, a system without locks is accepted, and a folder in use raises an
:class:`AvzooError`.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from avzoo.utils.errors import AvzooError

_PATIENCE = 2.0  # Seconds: a worker being forked while its run is killed holds the lock for a moment.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


@contextmanager
def locked(target: str | os.PathLike[str]) -> Iterator[None]:
    """Wait until no other thread or process holds the lock of a file, and hold it.

    Args:
        target: The file; it need not exist. Its folder is made if needed.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _held(_lock_file(target), timeout=-1):
        yield


def sweep_lock(target: str | os.PathLike[str]) -> None:
    """Remove the lock file left by a process that was killed while holding the lock of a file."""
    path = _lock_file(Path(target))
    if path.is_file():
        with suppress(OSError), _held(path, timeout=0):  # A timeout is an OSError too.
            pass


@contextmanager
def held_alone(folder: Path, busy: str) -> Iterator[None]:
    """Hold a folder for this process; the lock ends with the process, however that ends.

    Args:
        folder: The folder; it has a hidden file ``.lock`` meanwhile.
        busy: Error message if another process holds it.

    Raises:
        AvzooError: If another process holds it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(_held(folder / '.lock', timeout=_PATIENCE))
        except Timeout:
            raise AvzooError(busy) from None
        yield


def _lock_file(target: Path) -> Path:
    return target.with_name(f'.{target.name}.lock')


@contextmanager
def _held(path: Path, timeout: float) -> Iterator[None]:
    # filelock would wait for a missing folder, and for a file of another kind to disappear.
    flags = (
        os.O_RDONLY | os.O_CREAT | getattr(os, 'O_NOFOLLOW', 0) | getattr(os, 'O_NONBLOCK', 0)
    )  # A pipe never opens.
    os.close(os.open(path, flags, 0o666))
    # Its soft lock, a mere file, would outlive a killed process.
    lock = FileLock(path, timeout=timeout, fallback_to_soft=False)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    holder = os.getpid()
    try:
        yield
    finally:
        # Before the release: a waiting process notices that the file is gone, and makes another. A forked child,
        # which does not hold the lock, leaves it alone.
        if os.getpid() == holder:
            with suppress(OSError):
                path.unlink()
            lock.release()
