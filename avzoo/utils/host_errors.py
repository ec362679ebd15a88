"""Errors of the machine, not of the program: what happened to which file, and the cure.

Disks fill, folders are removed, limits are reached. The system reports this by a number, libraries by their own errors.
"""

import errno
import os
import re
from collections.abc import Iterator

from avzoo.utils.errors import AvzooError, first_line

_FILES = 'this process has too many files open. Raise the limit (ulimit -n 4096), or use fewer loader workers.'
_PLACE = 'Choose another path.'
_CAUSES = {
    errno.ENOSPC: 'the disk is full. Free some space, or write to another disk.',
    errno.EDQUOT: 'your share of the disk is used up. Free some space, or write to another disk.',
    errno.EFBIG: 'the file would be larger than allowed here. Raise the limit (ulimit -f unlimited), or write to a '
    'file system that supports large files.',
    errno.EIO: 'the disk, or the network drive, reports an error. Check the disk or drive, then repeat the command.',
    errno.ESTALE: 'the network drive has lost it. Mount the drive again, then repeat the command.',
    errno.EACCES: 'you have no permission for this. Change its permissions, or choose another path.',
    errno.EPERM: 'the system does not permit this. Change its permissions, or choose another path.',
    errno.EROFS: 'the file system is read-only. Choose a path on another one.',
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES.replace('this process', 'this machine'),
    errno.EAGAIN: 'no more processes or threads are allowed. Raise the limit (ulimit -u), or use fewer loader workers.',
    errno.ENAMETOOLONG: 'the name is too long for the file system. Choose a shorter one.',
    errno.ELOOP: f'its symbolic links form a loop, or may not be followed here. {_PLACE}',
    errno.ENOTDIR: f'a part of this path is a file, not a folder. {_PLACE}',
    errno.EISDIR: f'this is a folder, but a file is needed. {_PLACE}',
    errno.EEXIST: 'something with this name already exists. Remove it, or choose another path.',
    errno.ENOTEMPTY: 'this folder is not empty. Remove it, or choose another path.',
    errno.ENOENT: 'it does not exist, or has just been removed. Check the path, then repeat the command.',
    errno.ENXIO: f'this is a device or a pipe, but a file is needed. {_PLACE}',
    errno.EBUSY: 'it is in use. Wait for the other process, then repeat the command.',
    errno.ETXTBSY: 'it is in use. Wait for the other process, then repeat the command.',
}
_MEMORY = (
    'there is not enough memory. Use smaller batches (train_dataloader.batch_size, val_dataloader.batch_size), close '
    'other programs, or use a machine with more memory.'
)
_WORKER = 'a loader worker was killed, probably for lack of memory. Use --cfg-options train_dataloader.num_workers=0.'
# To the code that reads a file, lack of resources may look like damage.
_LACKING = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EAGAIN}


def host_error(error: BaseException) -> str | None:
    """Return an error of the machine in one line, ``FILE: cause. Cure.``; ``None`` for other errors.

    An :class:`AvzooError` counts as another error, unless it was caused by a lack of memory, file handles or space.
    Its own text is then kept, as it names the file if the cause does not.
    """
    if not isinstance(error, AvzooError):
        return _explained(error)
    found = next(((cause, text) for cause in _causes(error) if _is_lack(cause) and (text := _explained(cause))), None)
    if found is None:
        return None
    own = first_line(error)
    return f'{found[1]} It showed up as: {own}' if _file_of(found[0]) else f'{own} The cause: {found[1]}'


def why_unreadable(error: OSError) -> str:
    """Return why a file cannot be opened or read, and the cure."""
    known = _MEMORY if error.errno == errno.ENOMEM else _CAUSES.get(error.errno or 0, '')
    cure = known.partition('. ')[2] or 'Check the path.'  # Each is a cause and its cure.
    return f'{error.strerror or error}. {cure}'


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Iterate over the causes and contexts of an error."""
    seen = {id(error)}
    while (cause := error.__cause__ or error.__context__) is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        error = cause


def _is_lack(error: BaseException) -> bool:
    return _is_out_of_memory(error) or (isinstance(error, OSError) and error.errno in _LACKING)


def _explained(error: BaseException) -> str | None:
    if _is_out_of_memory(error):
        return f'{_size_in(str(error))}{_MEMORY}'
    if isinstance(error, RuntimeError) and str(error).startswith('DataLoader worker'):
        return _WORKER
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return _CAUSES[errno.EAGAIN]
    if not isinstance(error, OSError):
        return None
    code = error.errno
    if code is None and re.fullmatch(r'\d+ requested and \d+ written', str(error)):  # numpy's
        code = errno.ENOSPC
    if code not in _CAUSES:
        return None
    name = _file_of(error)
    return f'{name}: {_CAUSES[code]}' if name else _CAUSES[code]


def _file_of(error: BaseException) -> str:
    name = isinstance(error, OSError) and (error.filename2 or error.filename)
    return os.fsdecode(name) if isinstance(name, str | bytes) else ''


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    # torch's, which is not imported here.
    lacking = type(error).__name__ == 'OutOfMemoryError' or "can't allocate memory" in str(error)
    return isinstance(error, RuntimeError) and (lacking or 'not enough memory' in str(error))


def _size_in(text: str) -> str:
    found = re.search(r'allocate ([\d.]+ ?\w+)', text)
    return f'{found[1]} requested: ' if found else ''
