"""Paths that come from files of unknown origin."""

import re
from pathlib import PurePosixPath

# What separates parts or names a drive or a stream on other systems, and what no list with one name per line holds.
_FOREIGN = re.compile('[\\\\:\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]')


def stays_inside(name: str) -> bool:
    r"""Return whether a name is a path below a folder on every system, and the only one that leads there.

    It is relative, its parts are separated by single slashes, and none of them is ``.`` or ``..``. It has no backslash
    and no colon, which Windows would read as a separator or a drive, and no control character.

    Examples:
        >>> [stays_inside(name) for name in ('a/b.npy', '../a', 'C:a', 'a\\..\\b')]
        [True, False, False, False]
    """
    path = PurePosixPath(name)
    plain = path.as_posix() == name != '.' and not path.is_absolute() and '..' not in path.parts
    return plain and not _FOREIGN.search(name)
