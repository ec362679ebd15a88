"""Write files whole or not at all, and fingerprint them."""

import hashlib
import os
import secrets
from pathlib import Path


def atomic_write_text(path: str | os.PathLike, text: str) -> Path:
    """Write a text file so that a reader, or a crash, never meets half of it; make its folder if needed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder: os.replace is atomic only within one file system.
    partial = path.with_name(f'.{path.name}.{secrets.token_hex(4)}.partial')
    try:
        with open(partial, 'w', encoding='utf-8') as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def sha256_of(path: str | os.PathLike, *, chunk_bytes: int = 1 << 20) -> str:
    """Return the SHA-256 of a file as 64 hex digits, reading it in chunks."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(chunk_bytes):
            digest.update(chunk)
    return digest.hexdigest()
