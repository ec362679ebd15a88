"""Write files completely or not at all, and compute their checksums."""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from avzoo.utils.errors import AvzooError, ConfigError
from avzoo.utils.in_progress import in_progress

_ENDING = 'partial'
_TO_FLUSH = os.O_RDONLY if os.name == 'posix' else os.O_RDWR  # Windows flushes what may be written to.


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the path of a hidden file to write, which becomes ``path`` at the end; an exception leaves the old file.

    Readers never see a partly written file, even after a crash. Its folder is made if needed. A symbolic link stays
    one, and a replaced file keeps its permissions.

    Raises:
        AvzooError: If something other than a file has this name.
        OSError: If it cannot be written; the error names ``path``.
    """
    path = Path(path)
    with naming(path):
        target = Path(os.path.realpath(path)) if path.is_symlink() else path
        if target.exists() and not target.is_file():
            raise AvzooError(f'{path} cannot be written: it exists and is not a plain file. Choose another name.')
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        make_folder(target.parent)
        # In the same folder: a rename is atomic only within one file system.
        with in_progress(target, _ENDING) as partial:
            if mode is not None:
                partial.chmod(mode | stat.S_IWUSR)
            yield partial
            _flush(partial, _TO_FLUSH)
            if mode is not None:
                partial.chmod(mode)
            move(partial, target)


def atomic_write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file via :func:`atomic_path`, escaping undecodable bytes of file names; return its path."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding='utf-8', errors='backslashreplace')
    return Path(path)


def check_out(path: str | os.PathLike[str]) -> Path:
    """Refuse an output file that cannot be written, before the work begins; returns its path."""
    path = Path(path)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if path.exists() and not path.is_file():
        raise ConfigError(f'{path} cannot be written: it exists and is not a plain file. Choose another name.')
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(
            f'{path} cannot be written: {folder} is not a folder that you may write to. Choose another file.'
        )
    return path


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Add the name of a file to system errors that name no file, or a hidden one.

    A full disk is noticed by a write, which does not know the name.
    """
    try:
        yield
    except OSError as error:
        if error.errno and (error.filename is None or str(error.filename).endswith(f'.{_ENDING}')):
            error.filename, error.filename2 = os.fspath(path), None
        raise


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, safe against a power cut."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in new:
        flush_folder(path.parent)


def move(source: Path, target: Path) -> None:
    """Rename a file, replacing any existing one, safe against a power cut."""
    os.replace(source, target)
    flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder safe against a power cut, if the system can promise that."""
    with suppress(OSError):
        _flush(folder, os.O_RDONLY)


def flush_tree(root: Path) -> None:
    """Make a folder with all its content safe against a power cut."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            _flush(Path(folder, name), _TO_FLUSH)
        flush_folder(Path(folder))


def sha256_of(path: str | os.PathLike[str], *, chunk_bytes: int = 1 << 20) -> str:
    """Return the SHA-256 of a file as 64 hex digits, reading it in chunks."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(chunk_bytes):
            digest.update(chunk)
    return digest.hexdigest()


def joint_sha256(paths: Sequence[Path]) -> str:
    """Return the SHA-256 of a file, or of the SHA-256s of several."""
    digests = [sha256_of(path) for path in paths]
    return digests[0] if len(digests) == 1 else hashlib.sha256(''.join(digests).encode()).hexdigest()


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
