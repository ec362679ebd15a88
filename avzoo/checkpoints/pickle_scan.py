"""Look through the pickle in a file of torch.save before it is read.

torch reads pickles without running foreign code, but some of what it allows takes any amount of memory: ``bytearray``
of a number, or a dict that is copied again and again. Here only what torch.save writes for plain values and dense
tensors is accepted. The instructions that build a tensor always end alike, so their order alone shows that
``OrderedDict`` is called without arguments.
"""

import io
import pickletools
import re
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from avzoo.utils.errors import CheckpointError

_NAMES: Final = re.compile(r'torch\._utils _rebuild_tensor_v2|collections OrderedDict|torch \w+Storage')
_MAX_STEPS = 1_000_000  # A checkpoint of training has some 10,000.
_MAX_BUILDS = 4  # The `_metadata` of a state dict, which is copied.
_FETCH = {'GLOBAL', 'BINGET', 'LONG_BINGET'}
_NOTE = {'BINPUT', 'LONG_BINPUT'}
# What names or builds an object, other than GLOBAL, REDUCE and BUILD; torch.save writes none of it.
_FOREIGN = {'INST', 'OBJ', 'NEWOBJ', 'NEWOBJ_EX', 'STACK_GLOBAL', 'EXT1', 'EXT2', 'EXT4', 'PERSID'}
# Bytes of the length that stands before an argument, by what pickletools says in place of a size.
_PREFIX: Final = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
# Of each instruction its name, and the size of its argument; where that is negative, see _PREFIX, or it is in lines.
_CODES: Final = {ord(one.code): (one.name, one.arg.n if one.arg else 0) for one in pickletools.opcodes}


class Refused(Exception):
    """The pickle holds something other than plain values and dense tensors."""


def check_pickle(data: bytes, source: str) -> None:
    """Refuse a file of torch.save that would build anything but plain values and dense tensors.

    Args:
        data: The file, a zip.
        source: Where it comes from, for the error.

    Raises:
        CheckpointError: Names what else it holds.
    """
    archive = zipfile.ZipFile(io.BytesIO(data))
    try:
        pickles = [info for info in archive.infolist() if info.filename.lower().endswith('.pkl')]
        if len(pickles) != 1:
            raise Refused(f'{len(pickles)} pickles')
        _scan(archive.read(pickles[0]))
    except Refused as refused:
        raise CheckpointError(
            f'{source} holds objects other than tensors and plain values ({refused}). It was not opened, since that '
            'could run code. Use a checkpoint that avzoo wrote: copy it again or train again.'
        ) from None
    except Exception as error:
        raise CheckpointError(
            f'{source} is not a readable checkpoint (damaged or cut short?): {error}. Copy it again or train again.'
        ) from error


def _scan(data: bytes) -> None:
    last = deque[str](maxlen=6)  # Names of the latest instructions; those that only note a value are left out.
    builds = 0
    for step, (name, argument) in enumerate(_instructions(data)):
        if step > _MAX_STEPS:
            raise Refused(f'more than {_MAX_STEPS:,} values')
        if name in _NOTE:
            continue
        if name in _FOREIGN or (name == 'GLOBAL' and not _NAMES.fullmatch(argument)):
            raise Refused((argument or name)[:100])
        builds += name == 'BUILD'
        if builds > _MAX_BUILDS or (name == 'REDUCE' and not _is_expected([*last])):
            raise Refused(f'{name.lower()} of another kind')
        last.append(name)


def _instructions(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the names of instructions, up to the one that ends a pickle, and the lines that are their arguments.

    Other arguments are passed over: pickletools would read them all, which took a quarter of the time of a load.
    """
    at, end, name = 0, len(data), ''
    while name != 'STOP':
        if at >= end:
            raise ValueError('its pickle ends early')
        if data[at] not in _CODES:
            raise ValueError(f'its pickle has an unknown instruction at {at}')
        (name, size), at, argument = _CODES[data[at]], at + 1, ''
        if size in _PREFIX:
            size = _PREFIX[size] + int.from_bytes(data[at : at + _PREFIX[size]], 'little')
        elif size < 0:
            size = data.index(b'\n', at) + 1 - at
            if name in ('GLOBAL', 'INST'):
                size = data.index(b'\n', at + size) + 1 - at
            argument = data[at : at + size - 1].decode(errors='replace').replace('\n', ' ')
        at += size
        yield name, argument


def _is_expected(last: Sequence[str]) -> bool:
    """Return whether a call is ``OrderedDict()``, or of a tuple that ends in ``requires_grad, OrderedDict()``."""
    if last[-1] == 'EMPTY_TUPLE':
        return True
    flag, function, *rest = last[-5:]
    return flag in ('NEWFALSE', 'NEWTRUE') and function in _FETCH and rest == ['EMPTY_TUPLE', 'REDUCE', 'TUPLE']
