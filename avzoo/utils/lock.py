"""Keep a second process out of a folder."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from avzoo.utils.errors import AvzooError

_PATIENCE = 10.0  # Seconds that the loader workers of a killed run may outlive it, and hold its lock.


@contextmanager
def held_alone(folder: Path, busy: str) -> Iterator[None]:
    """Hold a folder for this process; the lock ends with the process, however that ends.

    Args:
        folder: The folder; it gets a hidden file ``.lock``. Where the system has no such locks, nothing is held.
        busy: What to say if another process holds it.

    Raises:
        AvzooError: If another process holds it.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(folder / '.lock', 'w') as file:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > end:
                    raise AvzooError(busy) from error
                time.sleep(0.2)
            except OSError:  # A file system without locks.
                break
        try:
            yield
        finally:  # Closing is not enough: loader workers that were forked meanwhile share the open file.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)
