"""Write files whole or not at all, and fingerprint them."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give the path of a hidden file to write, which becomes ``path`` at the end; an exception leaves the old file.

    A reader, or a crash, never sees half of the new file. Its folder is made if needed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder: os.replace is atomic only within one file system.
    partial = path.with_name(f'.{path.name}.{secrets.token_hex(4)}.partial')
    try:
        yield partial
        _flush_to_disk(partial, os.O_RDWR)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    with suppress(OSError):  # The file is complete; that its new name lasts is more than some systems can promise.
        _flush_to_disk(path.parent, os.O_RDONLY)


def atomic_write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file as :func:`atomic_path` does, and return its path."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding='utf-8')
    return Path(path)


def sha256_of(path: str | os.PathLike[str], *, chunk_bytes: int = 1 << 20) -> str:
    """Return the SHA-256 of a file as 64 hex digits, reading it in chunks."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(chunk_bytes):
            digest.update(chunk)
    return digest.hexdigest()


def _flush_to_disk(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
