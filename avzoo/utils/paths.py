"""Paths that come from files of unknown origin."""

import re
from pathlib import PurePosixPath

# Separators and marks of drives or streams on other systems, and characters impossible in a list of names.
_FOREIGN = re.compile('[\\\\:\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]')


def stays_inside(name: str) -> bool:
    r"""Return whether a name is, on every system, a path inside a folder, in its only possible spelling.

    It is relative, its parts are separated by single slashes, and none of them is ``.`` or ``..``. It has no backslash
    or colon, which Windows would read as a separator or a drive, and no control character.

    Examples:
        >>> [stays_inside(name) for name in ('a/b.npy', '../a', 'C:a', 'a\\..\\b')]
        [True, False, False, False]
    """
    path = PurePosixPath(name)
    plain = path.as_posix() == name != '.' and not path.is_absolute() and '..' not in path.parts
    return plain and not _FOREIGN.search(name)
