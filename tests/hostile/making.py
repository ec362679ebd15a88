"""Write hostile files of the usual formats."""

import io
import json
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from avzoo.checkpoints.training import save_checkpoint
from tests.hostile.child import CANARY

FOREIGN_MODULE = 'evil_mod'
ESCAPE = '\x1b[2J\x1b[31m'


class Calls:
    """An object whose pickle calls a function when it is loaded."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


def write_foreign_module(folder: Path) -> None:
    """Write a module that leaves the canary when it is imported, into the current folder of the call."""
    work = folder / 'work'
    work.mkdir(exist_ok=True)
    text = f"open({str(work / CANARY)!r}, 'w').close()\nclass X:\n    pass\ndef run(*args):\n    pass\n"
    (work / f'{FOREIGN_MODULE}.py').write_text(text)


def code_pickles() -> dict[str, bytes]:
    """Return pickles that run code if they are loaded as pickles."""
    touch = f'touch {CANARY}'
    python = f"open({CANARY!r}, 'w').close()"
    return {
        'calls os.system': pickle.dumps(Calls(os.system, touch)),
        'calls eval': pickle.dumps(Calls(eval, python)),
        'calls exec': pickle.dumps(Calls(exec, python)),
        'calls open': pickle.dumps(Calls(open, CANARY, 'w')),
        'calls subprocess': b'csubprocess\ncall\n((lVtouch\naV' + CANARY.encode() + b'\natR.',
        'imports a module of the current folder': b'cevil_mod\nX\n.',
        'takes a dotted name': b'\x80\x04\x8c\x02os\x8c\x0bpath.os.popen\x93\x8c\x09' + touch.encode() + b'\x85R.',
        'calls importlib': b'cimportlib\nimport_module\n(Vevil_mod\ntR.',
        'calls runpy': b'crunpy\nrun_module\n(Vevil_mod\ntR.',
        'calls torch.hub.load': b'ctorch.hub\nload\n(V.\nVX\ntR.',
        'calls numpy.load': b'cnumpy\nload\n(Vx.npy\nNI01\ntR.',
        'builds by a setter': b'c__builtin__\nsetattr\n(cos\nsystem\nVname\nVx\ntR.',
    }


def write_torch_zip(path: Path, content: Any, pickled: bytes | None = None, method: int = zipfile.ZIP_STORED) -> Path:
    """Write a file of torch.save with another pickle inside, or packed by another method."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, 'w', method) as target:
        for info in source.infolist():
            data = source.read(info)
            if pickled is not None and info.filename.endswith('data.pkl'):
                data = pickled
            target.writestr(info.filename, data)
    return path


def write_checkpoint(path: Path, content: Any) -> Path:
    """Write a checkpoint with its right checksum."""
    save_checkpoint(path, content)
    return path


def flip(data: bytes, position: int, bit: int = 0) -> bytes:
    """Return the bytes with one bit flipped."""
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    return bytes(changed)


def nested(depth: int, kind: str = '[') -> str:
    """Return JSON, YAML or Python of that depth."""
    return '[' * depth + ']' * depth if kind == '[' else '{"a":' * depth + '1' + '}' * depth


def nested_list(depth: int) -> list:
    """Return a list in a list in a list."""
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def cyclic() -> dict[str, Any]:
    """Return a dict that holds itself."""
    value: dict[str, Any] = {}
    value['self'] = value
    return value


def changed(mapping: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of nested dicts with the value at a dotted path replaced."""
    head, _, rest = path.partition('.')
    inner = changed(mapping[head], rest, value) if rest else value
    return {**mapping, head: inner}


def write_json(path: Path, value: Any) -> Path:
    """Write JSON; text is written as it is."""
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding='utf-8')
    return path


def npy(header: str, data: bytes = b'', version: tuple[int, int] = (1, 0)) -> bytes:
    """Return a ``.npy`` file with any text as its header."""
    text = header.encode('latin1').ljust(max(118, len(header) + 1)) + b'\n'
    size = len(text).to_bytes(2 if version == (1, 0) else 4, 'little')
    return b'\x93NUMPY' + bytes(version) + size + text + data


def sparse(path: Path, size: int, start: bytes = b'') -> Path:
    """Write a file with a hole: it is large, and takes no room."""
    with open(path, 'wb') as file:
        file.write(start)
        file.truncate(size)
    return path


_BLOCK = 1 << 24


def deflated_zeros(blocks: int) -> tuple[bytes, int, int]:
    """Return so many blocks of 16 MB of zeros, packed by deflate; their size and their CRC."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(_BLOCK)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(blocks):
        crc = zlib.crc32(zeros, crc)
    return block * blocks + packer.flush(), blocks * _BLOCK, crc


def append_member(path: Path, name: str, packed: bytes, size: int, crc: int) -> None:
    """Write a zip with one deflated member of any claimed size, after the members of the zip that is there.

    Args:
        path: The zip; a new one if it is missing.
        name: Name of the member.
        packed: Its packed content.
        size: Its size by the headers.
        crc: Its CRC.
    """
    with zipfile.ZipFile(path, 'a') as file:
        info = zipfile.ZipInfo(name)
        info.compress_type, info.file_size, info.compress_size, info.CRC = zipfile.ZIP_DEFLATED, size, len(packed), crc
        info.header_offset = file.start_dir
        file.fp.seek(file.start_dir)
        file.fp.write(info.FileHeader(zip64=False) + packed)
        file.start_dir = file.fp.tell()
        file.filelist.append(info)
        file.NameToInfo[name] = info
        file._didModify = True
