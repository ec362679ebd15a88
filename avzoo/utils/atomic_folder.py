"""Make a folder that is either complete or absent: fill a hidden sibling, then rename it."""

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from avzoo.utils.errors import DataError
from avzoo.utils.files import flush_folder, flush_tree, make_folder
from avzoo.utils.in_progress import in_progress, siblings, sweep
from avzoo.utils.lock import locked

_ENDING, _OLD = 'part', 'part.old'
_HERE = -100  # AT_FDCWD: paths are relative to the current folder.
_SWAP = 2  # RENAME_EXCHANGE
_UNKNOWN = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}


def check_target(out: Path, marker: str, kind: str) -> None:
    """Refuse to replace anything but an empty folder or an older product of the same kind.

    Args:
        out: Folder to be made.
        marker: Pattern of a file found only in products of this kind, e.g. ``store.json``.
        kind: Name of such a product for the error.
    """
    if not out.exists() and not out.is_symlink():
        return
    if out.is_symlink() or not out.is_dir():
        raise DataError(f'{out} exists and is not a plain folder. Choose another path for the {kind}.')
    if any(out.iterdir()) and next(out.glob(marker), None) is None:
        raise DataError(f'{out} holds other files and is not a {kind}; nothing was written. Choose a new folder.')


class PartFolder:
    """A hidden folder next to ``out``, on the same file system, which gets its name when it is complete.

    Those left by killed processes are removed, see :mod:`avzoo.utils.in_progress`.

    Args:
        out: Folder to be made.

    Attributes:
        path: The hidden folder.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        try:
            make_folder(out.parent)
        except (FileExistsError, NotADirectoryError):
            raise DataError(
                f'{out} cannot be made: {out.parent} is a file, or below one. Choose another place.'
            ) from None
        restore_folder(out)
        self._stack = ExitStack()
        self.path = self._stack.enter_context(in_progress(out, _ENDING, folder=True))

    def finish(self, *, lasting: bool = True) -> None:
        """Give the folder its name; what was there before is removed afterwards.

        Args:
            lasting: Flush everything to the disk first, so that it survives a power cut.
        """
        if lasting:
            flush_tree(self.path)
        _replace(self.path, self.out)
        flush_folder(self.out.parent)

    def close(self) -> None:
        """Remove the folder, unless it is finished."""
        self._stack.close()


@contextmanager
def fill_folder(out: Path, *, lasting: bool = True) -> Iterator[Path]:
    """Yield a hidden folder to fill, which becomes ``out`` at the end; after an exception, nothing of it remains."""
    part = PartFolder(out)
    try:
        yield part.path
        part.finish(lasting=lasting)
    finally:
        part.close()


def restore_folder(out: Path) -> None:
    """Give a folder its name back, if a process was killed while replacing it, and remove older such folders.

    This happens only on systems that cannot exchange two folders in one step.
    """
    if not siblings(out, _OLD):
        return
    with locked(out):
        old = siblings(out, _OLD)
        if old and not out.exists():
            os.rename(old.pop(), out)
        sweep(out, _OLD)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two paths, so that neither is missing at any moment.

    Returns:
        Whether it was done; ``False`` if the system or the file system cannot do it.
    """
    if sys.platform != 'linux' or not hasattr(ctypes.CDLL(None), 'renameat2'):
        return False
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    if renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), ctypes.c_uint(_SWAP)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNKNOWN:
        return False
    raise OSError(code, os.strerror(code), str(one), None, str(other))


def _replace(part: Path, out: Path) -> None:
    if not (out.is_dir() and any(out.iterdir())):
        os.rename(part, out)
    elif not exchange(part, out):
        with locked(out):
            old = part.with_name(f'{part.name}.old')
            os.rename(out, old)
            try:
                os.rename(part, out)
            except OSError:
                os.rename(old, out)
                raise
            shutil.rmtree(old, ignore_errors=True)
