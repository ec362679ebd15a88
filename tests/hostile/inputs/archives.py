"""Zip archives from elsewhere."""

import functools
import struct
import zipfile
from pathlib import Path
from typing import Any

from avzoo.zoo.unzip import unpack_zip
from tests.hostile.corpus import ACCEPTED, EITHER, Call, Part
from tests.hostile.making import ESCAPE, append_member, deflated_zeros, flip, sparse
from tests.hostile.material import Material

PART = Part('zip archive')


def _unpack(folder: Path, path: Path | None = None) -> Call:
    return Call(lambda: unpack_zip(path or folder / 'x.zip', folder / 'work/out'))


def _named(folder: Path, material: Material, name: str, *, kind: int = 0, flags: int = 0) -> Call:
    info = zipfile.ZipInfo('x')
    info.filename = info.orig_filename = name
    info.external_attr, info.flag_bits = kind << 16, flags
    with zipfile.ZipFile(folder / 'x.zip', 'w') as file:
        file.writestr('first.txt', 'first')
        file.writestr(info, 'text')
    return _unpack(folder)


def _kind(folder: Path, material: Material, kind: int) -> Call:
    return _named(folder, material, 'link', kind=kind)


def _bytes(folder: Path, material: Material, change: Any) -> Call:
    with zipfile.ZipFile(folder / 'good.zip', 'w', zipfile.ZIP_DEFLATED) as file:
        for i in range(3):
            file.writestr(f'folder/{i}.txt', f'{i} text ' * 50)
    (folder / 'x.zip').write_bytes(change((folder / 'good.zip').read_bytes()))
    return _unpack(folder)


def _twice(folder: Path, material: Material, names: tuple[str, str]) -> Call:
    with zipfile.ZipFile(folder / 'x.zip', 'w') as file:
        for name in names:
            file.NameToInfo.clear()  # Else Python warns of a name that comes twice.
            file.writestr(name, 'text')
    return _unpack(folder)


def _packed(folder: Path, material: Material, method: int) -> Call:
    with zipfile.ZipFile(folder / 'x.zip', 'w', method) as file:
        file.writestr('x.txt', 'text' * 100)
    return _unpack(folder)


def _bomb(folder: Path, material: Material) -> Call:
    packed, size, crc = deflated_zeros(150)
    append_member(folder / 'x.zip', 'zeros', packed, size, crc)
    return _unpack(folder)


def _overlapping(folder: Path, material: Material) -> Call:
    """100 names for the same packed bytes."""
    packed, size, crc = deflated_zeros(1)
    append_member(folder / 'x.zip', 'zeros', packed, size, crc)
    with zipfile.ZipFile(folder / 'x.zip', 'a') as file:
        first = file.filelist[0]
        for i in range(100):
            info = zipfile.ZipInfo(f'{i}')
            for key in ('compress_type', 'file_size', 'compress_size', 'CRC', 'header_offset'):
                setattr(info, key, getattr(first, key))
            file.filelist.append(info)
        file._didModify = True
    return _unpack(folder)


def _claimed(folder: Path, material: Material, size: int) -> Call:
    packed, _, crc = deflated_zeros(1)
    append_member(folder / 'x.zip', 'zeros', packed, size, crc)
    return _unpack(folder)


def _many(folder: Path, material: Material) -> Call:
    """An end record that claims 65,535 members."""
    return _bytes(folder, material, functools.partial(_set_end, at=8, text=struct.pack('<HH', 65535, 65535)))


def _set_end(data: bytes, *, at: int, text: bytes) -> bytes:
    place = data.rindex(b'PK\x05\x06') + at
    return data[:place] + text + data[place + len(text) :]


PART.each(
    _named,
    {
        'leads out': '../x',
        'leads out later': 'a/../../x',
        'is absolute': '/tmp/hostile',
        'is of Windows': '..\\x',
        'has a drive': 'C:x',
        'is a share': '\\\\host\\x',
        'is empty': '',
        'is this folder': '.',
        'is the folder above': '..',
        'clears the screen': f'{ESCAPE}x',
        'breaks the line': 'a\nb',
        'holds NUL': 'a\0b',
        'reverses the text': 'a\u202eb',
        'has 300 characters': 'a' * 300,
        'is a path of 5,000 characters': 'a/' * 2500 + 'x',
        'is a folder of a file': 'first.txt/x',
    },
    prefix='a member whose name ',
)
PART.each(
    _named,
    {'is like an option': '--help', 'is a home': '~/x', 'is a variable': '$HOME/x'},
    ACCEPTED,
    prefix='a member whose name ',
)
PART.each(
    _kind,
    {'a link': 0o120777, 'a device': 0o020666, 'a pipe': 0o010666, 'a socket': 0o140666, 'a block device': 0o060666},
    prefix='a member that is ',
)
PART.each(_kind, {'run as root': 0o104755}, EITHER, prefix='a member that is ')
PART.each(
    _twice,
    {'of the same name': ('a', 'a'), 'that differ by case': ('a', 'A'), 'one below the other': ('a', 'a/b')},
    prefix='two members ',
)
PART.each(_packed, {'bzip2': zipfile.ZIP_BZIP2, 'lzma': zipfile.ZIP_LZMA}, prefix='packed by ')
PART.add('a deflated bomb of 2.4 GB', _bomb)
PART.add('members that share their bytes', _overlapping)
PART.each(_claimed, {'16 MB that claim to be 1 byte': 1, '16 MB that claim to be 4 GB': 0xFFFFFFF0})
PART.add('a directory of 65,535 members that are missing', _many, EITHER)
PART.each(
    _bytes,
    {f'cut at {i} %': lambda data, i=i: data[: len(data) * i // 100] for i in (0, 5, 40, 80, 99)}
    | {
        'a directory of no bytes': functools.partial(_set_end, at=12, text=bytes(4)),
        'a directory of 4 GB': functools.partial(_set_end, at=12, text=b'\xff\xff\xff\xfe'),
        'a directory beyond the end': functools.partial(_set_end, at=16, text=b'\xff\xff\xff\x7f'),
        'a bit flipped in the packed bytes': lambda data: flip(data, 48, 5),
        'a bit flipped in a size': lambda data: flip(data, data.index(b'PK\x01\x02') + 20, 3),
        'a bit flipped in a checksum': lambda data: flip(data, data.index(b'PK\x01\x02') + 16, 3),
        'encrypted by its flag': lambda data: flip(flip(data, 6, 0), data.index(b'PK\x01\x02') + 8, 0),
        'a web page': lambda data: b'<!DOCTYPE html><html>404</html>',
    },
)
PART.add(
    'bytes before the archive',
    lambda folder, material: _bytes(folder, material, lambda data: data[:100] + data),
    EITHER,
)


def _file(folder: Path, material: Material, make: Any) -> Call:
    make(folder / 'x.zip')
    return _unpack(folder)


def _loop(path: Path) -> None:
    path.symlink_to(path)


PART.each(
    _file, {'8 GB of zeros': lambda path: sparse(path, 1 << 33), 'a folder': Path.mkdir, 'a link to itself': _loop}
)
PART.add('a device', lambda folder, material: _unpack(folder, Path('/dev/zero')))
