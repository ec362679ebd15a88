"""Read a whole weight file, after its table of contents has shown that it is one.

A file may claim any size, as sparse files do, so the table alone is read first: it must account for the whole file.
What is read then is as large as the weights in it and fits into the free memory.
"""

import json
import os
import struct
import zipfile
from pathlib import Path
from typing import IO, Any

from avzoo.checkpoints.checksums import zip_comment_length
from avzoo.readers.zip_checks import ZIP_ERRORS
from avzoo.utils.errors import CheckpointError, first_line
from avzoo.utils.memory import available_memory
from avzoo.utils.regular_files import open_readable

_MAX_TABLE = 16 << 20  # In the zoo it has 0.03 MB; parsed JSON takes up to 30 times its size in memory.
_MAX_MEMBERS = 100_000
_PER_MEMBER = 1 << 10  # Local header, name and padding: 202 bytes in what torch.save writes.
_END = struct.Struct('<4s4H2LH')  # The last entry of a zip, before its comment.
_END64 = struct.Struct('<4sQ2H2L4Q4sLQL')  # The same with wide fields, and its locator.
_TAIL = 256  # Holds them and the comment with the checksum.
_HINT = 'Use a checkpoint that avzoo wrote: copy it again or train again.'


def read_zip(path: Path) -> bytes:
    """Return a torch.save file, whose members are not compressed or hidden and have different names.

    Raises:
        CheckpointError: If it is something else, or does not fit into memory.
    """
    with open_readable(path, CheckpointError) as file:
        size = _size(file, path)
        try:
            _check_members(_directory(file, size), size)
        except (*ZIP_ERRORS, IndexError) as error:
            raise CheckpointError(
                f'{path} is not a readable checkpoint (damaged, cut short, or something else under that name): '
                f'{first_line(error)}. {_HINT}'
            ) from error
        return _whole(file, size, path)


def read_safetensors(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return a safetensors file and its header.

    Raises:
        CheckpointError: If it is something else, or does not fit into memory.
    """
    with open_readable(path, CheckpointError) as file:
        size = _size(file, path)
        try:
            length = int.from_bytes(file.read(8), 'little')
            if length > min(_MAX_TABLE, size - 8):
                raise ValueError(f'its header would have {length:,} bytes')
            header = json.loads(file.read(length))
            ends = [entry['data_offsets'][1] for key, entry in header.items() if key != '__metadata__']
            if 8 + length + max(ends, default=0) != size:
                raise ValueError(f'its tensors do not account for its {size:,} bytes')
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise CheckpointError(
                f'{path} is not a readable safetensors file (damaged, cut short, or something else under that name): '
                f'{error}. Fetch it again.'
            ) from error
        return _whole(file, size, path), header


def _size(file: IO[bytes], path: Path) -> int:
    size, free = os.fstat(file.fileno()).st_size, available_memory()
    if free is not None and 2 * size > free:
        raise CheckpointError(
            f'{path} has {size:,} bytes, and loading it takes twice as much memory, but only {free:,} bytes '
            'are free. Use a machine with more memory, or another checkpoint.'
        )
    return size


def _whole(file: IO[bytes], size: int, path: Path) -> bytes:
    file.seek(0)
    data = file.read(size)
    if len(data) != size:
        raise CheckpointError(f'{path} shrank while it was being read. Load it again.')
    return data


def _directory(file: IO[bytes], size: int) -> list[zipfile.ZipInfo]:
    """Return the members of a zip; its directory must end the file, so that Python and torch find the same ones."""
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    comment = zip_comment_length(tail)
    tail = tail[: len(tail) - comment]
    if len(tail) < _END.size:
        raise ValueError('it is too short')
    end = _END.unpack(tail[-_END.size :])
    if end[0] != b'PK\5\6' or end[7] != comment:
        raise ValueError('its end is missing')
    length, offset, place = end[5], end[6], size - comment - _END.size
    if len(tail) >= _END.size + _END64.size:
        wide = _END64.unpack(tail[-_END.size - _END64.size : -_END.size])
        if wide[10] == b'PK\6\7':
            length, offset, place = wide[8], wide[9], place - _END64.size
    if length > _MAX_TABLE or offset + length != place:
        raise ValueError('its directory is not at its end')
    file.seek(0)
    return zipfile.ZipFile(file).infolist()


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    if len(members) > _MAX_MEMBERS or len({info.filename.lower() for info in members}) != len(members):
        raise ValueError('it has too many members, or two with one name')
    if len({info.filename.partition('/')[0] for info in members}) != 1:
        raise ValueError('its members are not in one folder')
    if packed := [info.filename for info in members if info.compress_type != zipfile.ZIP_STORED]:
        raise ValueError(f'its member {packed[0]!r} is compressed, which torch.save never does')
    total = sum(info.file_size for info in members)
    if not total <= size <= total + _PER_MEMBER * (len(members) + 1):
        raise ValueError(f'its members have {total:,} bytes, but the file {size:,}')
