"""Tell users' files in a folder from those that operating systems leave there."""

from pathlib import Path

_LEFTOVERS = ('__MACOSX', 'Thumbs.db', 'desktop.ini')


def is_leftover(name: str) -> bool:
    """Return whether a file or folder with this name is hidden (``._x.npz``, ``.DS_Store``) or a file manager's."""
    return name.startswith('.') or name in _LEFTOVERS


def files_below(folder: Path, pattern: str) -> list[Path]:
    """Return the files below a folder that match a pattern, sorted, without leftovers."""
    return sorted(path for path in folder.rglob(pattern) if not any(map(is_leftover, path.relative_to(folder).parts)))
