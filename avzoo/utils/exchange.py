"""Swap two files or folders in one step."""

import ctypes
import errno
import os
import sys
from pathlib import Path

_HERE = -100  # AT_FDCWD: paths are relative to the current folder.
_SWAP = 2  # RENAME_EXCHANGE
_UNKNOWN = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}


def exchange(one: Path, other: Path) -> bool:
    """Let two paths swap what they name, so that neither is missing at any moment.

    Returns:
        Whether it was done; ``False`` where the system or the file system cannot do that.
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
