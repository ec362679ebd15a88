"""Scan the pickle in a torch.save file before it is read.

torch reads pickles without running foreign code, but some of what it allows can use any amount of memory: ``bytearray``
of a number, or a dict that is copied again and again. Only what torch.save writes for plain values and dense tensors is
accepted here. The instructions that build a tensor always end the same way, so their order alone shows that
``OrderedDict`` is called without arguments.
"""

import io
import pickletools
import re
import zipfile
from typing import Final

from avzoo.utils.errors import CheckpointError

_NAMES: Final = re.compile(r'torch\._utils _rebuild_tensor_v2|collections OrderedDict|torch \w+Storage')
_MAX_STEPS = 1_000_000  # A training checkpoint has about 10,000.
_MAX_BUILDS = 4  # For the `_metadata` of a state dict, which is copied.
_FETCH = {'GLOBAL', 'BINGET', 'LONG_BINGET'}
_NOTE = {'BINPUT', 'LONG_BINPUT'}
# Opcodes that name or build an object, other than GLOBAL, REDUCE and BUILD; torch.save writes none of them.
_FOREIGN = {'INST', 'OBJ', 'NEWOBJ', 'NEWOBJ_EX', 'STACK_GLOBAL', 'EXT1', 'EXT2', 'EXT4', 'PERSID'}


class Refused(Exception):
    """The pickle holds something other than plain values and dense tensors."""


def check_pickle(data: bytes, source: str) -> None:
    """Refuse a torch.save file that would build anything but plain values and dense tensors.

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
            f'{source} holds objects other than tensors and plain values ({refused}). It was not opened because that '
            'could run code. Use a checkpoint that avzoo wrote: copy it again or train again.'
        ) from None
    except Exception as error:
        raise CheckpointError(
            f'{source} is not a readable checkpoint (damaged or cut short?): {error}. Copy it again or train again.'
        ) from error


def _scan(data: bytes) -> None:
    last: list[str] = []  # Names of the last instructions, without those that only memoize a value.
    builds = 0
    for step, (code, argument, _) in enumerate(pickletools.genops(data)):
        name = code.name
        if step > _MAX_STEPS:
            raise Refused(f'more than {_MAX_STEPS:,} values')
        if name in _FOREIGN or (name == 'GLOBAL' and not _NAMES.fullmatch(str(argument))):
            raise Refused(str(argument or name)[:100])
        builds += name == 'BUILD'
        if builds > _MAX_BUILDS or (name == 'REDUCE' and not _is_expected(last)):
            raise Refused(f'an unexpected {name.lower()}')
        if name not in _NOTE:
            last = [*last[-5:], name]


def _is_expected(last: list[str]) -> bool:
    """Return whether a call is ``OrderedDict()``, or has a tuple that ends in ``requires_grad, OrderedDict()``."""
    if last[-1] == 'EMPTY_TUPLE':
        return True
    flag, function, *rest = last[-5:]
    return flag in ('NEWFALSE', 'NEWTRUE') and function in _FETCH and rest == ['EMPTY_TUPLE', 'REDUCE', 'TUPLE']
