"""Let one process at a time work on a file or a folder; where the file system has no locks, no locking takes place.

The locks are those of the package filelock. They end with the process, and a forked loader worker does not inherit
them. What is added here: the lock file is removed after use, a system without locks is accepted, and a folder in use is
an :class:`AvzooError`.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from avzoo.utils.errors import AvzooError

_PATIENCE = 2.0  # Seconds: a worker that was just being forked when its run was killed holds the lock for a moment.
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
    """Remove the lock file of a process that was killed while it held the lock of a file."""
    path = _lock_file(Path(target))
    if path.is_file():
        with suppress(OSError), _held(path, timeout=0):  # A timeout is an OSError too.
            pass


@contextmanager
def held_alone(folder: Path, busy: str) -> Iterator[None]:
    """Hold a folder for this process; the lock ends with the process, however that ends.

    Args:
        folder: The folder; it gets a hidden file ``.lock`` for this time.
        busy: What to say if another process holds it.

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
    # filelock waits for a folder to appear, and for a file of another kind to go away.
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
        # Before it is released: a process that waits notices that the file is gone, and makes another. A forked child,
        # which does not hold it, leaves it alone.
        if os.getpid() == holder:
            with suppress(OSError):
                path.unlink()
            lock.release()
