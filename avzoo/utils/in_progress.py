"""Hidden files and folders that are being written, next to those that they will become.

A process locks what it writes; the lock ends with the process. Unlocked ones were left by a killed process, and the
next process that writes the same file removes them. On a file system without locks, they stay.
"""

import hashlib
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != 'win32':
    import fcntl

_LONGEST = 200  # Bytes of a name; most file systems allow 255, and something is added to it.


@contextmanager
def in_progress(target: Path, ending: str, *, folder: bool = False) -> Iterator[Path]:
    """Make a hidden file or folder next to ``target``, and remove it at the end if it still exists.

    Args:
        target: What it will become.
        ending: Last part of its name, which tells its purpose.
        folder: Make a folder.
    """
    sweep(target, ending)
    path, descriptor = _make(target, ending, folder)
    try:
        yield path
    finally:
        _remove(path)
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def scratch_folder(name: str, place: Path | None = None) -> Iterator[Path]:
    """Make a folder for this process and user only, and remove it at the end.

    Args:
        name: Its purpose.
        place: Its parent folder; by default that for temporary files.
    """
    with in_progress((place or Path(tempfile.gettempdir())) / name, 'scratch', folder=True) as path:
        path.chmod(0o700)
        yield path


def sweep(target: Path, ending: str) -> None:
    """Remove what killed processes left next to ``target``."""
    for path in siblings(target, ending):
        with suppress(OSError):
            # NFS locks need a file that is open for writing; do not wait for a pipe with that name.
            kind = os.O_RDONLY if path.is_dir() else os.O_RDWR
            descriptor = os.open(path, kind | getattr(os, 'O_NOFOLLOW', 0) | getattr(os, 'O_NONBLOCK', 0))
            try:
                if _lock(descriptor, wait=False):
                    _remove(path)
            finally:
                os.close(descriptor)


def siblings(target: Path, ending: str) -> list[Path]:
    """Return the hidden files and folders that were, or are, meant to become ``target``."""
    pattern = re.compile(rf'{re.escape(_prefix(target))}[0-9a-f]{{8}}\.{re.escape(ending)}')
    try:
        return sorted(Path(entry.path) for entry in os.scandir(target.parent) if pattern.fullmatch(entry.name))
    except OSError:
        return []


def _make(target: Path, ending: str, folder: bool) -> tuple[Path, int | None]:
    """Return the new file or folder, and a descriptor that locks it while open."""
    while True:
        path = target.with_name(f'{_prefix(target)}{secrets.token_hex(4)}.{ending}')
        if sys.platform == 'win32':  # What is open cannot be renamed there.
            path.mkdir() if folder else path.touch(exist_ok=False)
            return path, None
        if folder:
            path.mkdir()
        try:
            # Unlike with `tempfile`, they get the usual permissions, which the result keeps.
            descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:
            if folder and target.parent.is_dir():  # Another process has just swept it.
                continue
            raise
        _lock(descriptor, wait=True)
        if path.exists():
            return path, descriptor
        os.close(descriptor)


def _prefix(target: Path) -> str:
    name = target.name
    if len(os.fsencode(name)) > _LONGEST:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return f'.{name}.'


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file or folder; return whether this process has the lock."""
    if sys.platform == 'win32':
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # Held by another, or there are no locks.
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
