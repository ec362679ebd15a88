"""Where downloads are kept, and whether the network may be used."""

import os
import stat
import warnings
from functools import cache
from pathlib import Path


def cache_home() -> Path:
    """Return the folder for everything that avzoo downloads.

    It is ``AVZOO_HOME``, else ``~/.cache/avzoo``. If there is no home folder, or it is not writable and has no such
    folder (``docker run --user 12345``), it is a temporary folder, with a warning.
    """
    chosen = os.environ.get('AVZOO_HOME')
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    home = os.path.expanduser('~')
    return Path(home, '.cache', 'avzoo') if has_home() else _temporary_home(home)


def has_home() -> bool:
    """Return whether there is a home folder that has a cache, or in which one can be made."""
    home = Path(os.path.expanduser('~'))  # It stays `~` without HOME and without an entry in the user database.
    if not home.is_absolute():
        return False
    folder = home / '.cache' / 'avzoo'
    try:
        nearest = next(path for path in (folder, *folder.parents) if path.exists())
    except OSError:
        return False
    return nearest == folder or os.access(nearest, os.W_OK)


def find_cache_without_home() -> None:
    """Give the libraries below avzoo a cache folder, if there is no home folder and none was set.

    Otherwise yapf, which mmengine needs, could not be imported.
    """
    if not os.path.isabs(os.path.expanduser('~')):
        os.environ.setdefault('XDG_CACHE_HOME', str(temporary_folder()))


def temporary_folder() -> Path:
    """Return this user's folder for files that are kept until the machine restarts."""
    import tempfile  # Few users lack a home folder, and `import avzoo` must be fast.

    user = os.getuid() if hasattr(os, 'getuid') else None
    path = Path(tempfile.gettempdir(), 'avzoo' if user is None else f'avzoo-{user}')
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        # Anybody can make a folder with this name, and could replace its content.
        if not stat.S_ISDIR(found.st_mode) or (user is not None and (found.st_uid != user or found.st_mode & 0o022)):
            return Path(tempfile.mkdtemp(prefix='avzoo-'))
    return path


@cache
def _temporary_home(home: str) -> Path:
    path = temporary_folder()
    warnings.warn(
        f'There is no writable home folder ({home}): downloads are kept in {path}, which may not last. '
        'Set AVZOO_HOME to another folder.',
        stacklevel=4,
    )
    return path


def is_offline() -> bool:
    """Return whether ``AVZOO_OFFLINE=1`` forbids every network access."""
    return os.environ.get('AVZOO_OFFLINE', '').strip().lower() not in ('', '0', 'false', 'no')
