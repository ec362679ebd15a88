"""Files of weights that lie: each is complete and carries the right checksum, as one of an attacker would."""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from avzoo.checkpoints.checksums import EMPTY_FIELD, seal_safetensors, zip_ending
from avzoo.checkpoints.training import TRAINING_FORMAT

META = dict(format=TRAINING_FORMAT)
_HEAD, _END = b'\x80\x02', b'.'
GIGABYTES = 1 << 34


def seal_zip(data: bytes) -> bytes:
    """Return a file of torch.save with its checksum at the end."""
    return data[:-2] + zip_ending(data)


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    return {info.filename: archive.read(info) for info in archive.infolist()}


def zipped(files: list[tuple[str, bytes]] | dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', packing) as archive:
        for name, content in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, content)
    return buffer.getvalue()


def of_pickle(program: bytes, **more: bytes) -> bytes:
    """Return a file of torch.save whose pickle is this program."""
    files = members(saved(dict(meta=META, state_dict={})))
    return seal_zip(zipped(files | {'archive/data.pkl': _HEAD + program + _END} | more))


def altered(change: Callable[[bytes], bytes]) -> bytes:
    """Return a file of one weight of four numbers whose pickle was changed."""
    files = members(saved(dict(meta=META, state_dict={'w': torch.arange(4.0)})))
    return seal_zip(zipped(files | {'archive/data.pkl': change(files['archive/data.pkl'])}))


def with_list(levels: int, copies: int) -> bytes:
    """Return a program of lists that hold the list before many times: few bytes, but endless to walk through."""
    program = b'](]q\x00'
    for level in range(levels):
        program += b'](' + (b'h' + bytes([level])) * copies + b'eq' + bytes([level + 1])
    return program + b'e'


def content(inner: bytes) -> bytes:
    """Return a program of a checkpoint whose meta holds what another program makes."""
    meta = b'}(X\x06\x00\x00\x00formatX' + struct.pack('<I', len(TRAINING_FORMAT)) + TRAINING_FORMAT.encode()
    meta += b'X\x01\x00\x00\x00x' + inner + b'u'
    return b'}(X\x04\x00\x00\x00meta' + meta + b'X\x0a\x00\x00\x00state_dict}u'


def number(value: int) -> bytes:
    data = value.to_bytes(8, 'little')
    return b'\x8a' + bytes([len(data)]) + data


def _moved_directory() -> bytes:
    """Return a zip with bytes before it: Python's reader finds the members, torch's finds others."""
    return seal_zip(b'x' * 64 + saved(dict(meta=META, state_dict={})))


TRAINING_FILES: dict[str, Callable[[], bytes]] = {
    'packed members': lambda: seal_zip(zipped(members(saved(dict(meta=META))), zipfile.ZIP_DEFLATED)),
    'packed zeros': lambda: seal_zip(
        zipped(members(saved(dict(meta=META))) | {'archive/data/0': b'0' * (1 << 26)}, zipfile.ZIP_DEFLATED)
    ),
    'bytearray of a number': lambda: of_pickle(b'c__builtin__\nbytearray\n' + number(GIGABYTES) + b'\x85R'),
    'tensor of a number': lambda: of_pickle(b'ctorch\nTensor\n' + number(GIGABYTES) + b'\x85R'),
    'tensor of a number, in place of OrderedDict': lambda: altered(
        lambda data: data.replace(b'ccollections\nOrderedDict\n', b'ctorch\nTensor\n')
    ),
    'bytes of a text': lambda: of_pickle(b'c_codecs\nencode\nX\x01\x00\x00\x00xX\x05\x00\x00\x00utf32\x86R'),
    'module of a codec': lambda: of_pickle(b'c_codecs\nencode\nX\x01\x00\x00\x00xX\x05\x00\x00\x00idna_\x86R'),
    'copies of a dict': lambda: of_pickle(content(b'ccollections\nOrderedDict\n](]K\x01aK\x02ae\x85R')),
    'attributes of dicts': lambda: of_pickle(
        content(b'](' + b'ccollections\nOrderedDict\n)R}X\x01\x00\x00\x00aK\x01sb' * 10 + b'e')
    ),
    'copies among other arguments': lambda: of_pickle(
        content(b'ccollections\nOrderedDict\n(]]K\x01aK\x02aa\x89ccollections\nOrderedDict\n)RtR')
    ),
    'a call of a system function': lambda: of_pickle(b'cos\nsystem\nX\x04\x00\x00\x00true\x85R'),
    'a class of torch': lambda: of_pickle(b'ctorch.nn.modules.linear\nLinear\n)R'),
    'new object': lambda: of_pickle(b'ccollections\nOrderedDict\n)\x81'),
    'name on the stack': lambda: seal_zip(
        zipped(
            members(saved({})) | {'archive/data.pkl': b'\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.'},
        )
    ),
    'a million values': lambda: of_pickle(content(b'](' + b'N' * 1_000_001 + b'e')),
    'deep lists': lambda: of_pickle(content(b']' * 50_000 + b'a' * 49_999)),
    'deep tuples': lambda: of_pickle(content(b'N' + b'\x85' * 50_000)),
    'lists of lists': lambda: of_pickle(content(with_list(30, 10))),
    'long texts, often': lambda: of_pickle(
        content(b'](X\x00\x00\x10\x00' + b'y' * (1 << 20) + b'q\x00' + b'h\x00' * 10_000 + b'e')
    ),
    'a list in itself': lambda: of_pickle(content(b']q\x00h\x00a')),
    'a dict in itself': lambda: of_pickle(content(b'}q\x00X\x01\x00\x00\x00kh\x00s')),
    'more numbers than the file has': lambda: altered(lambda data: data.replace(b'K\x04', b'J\xff\xff\xff\x7f')),
    'one number as many': lambda: altered(
        lambda data: data.replace(b'K\x04\x85', b'J\xff\xff\xff\x7f\x85').replace(b'K\x01\x85', b'K\x00\x85')
    ),
    'two pickles': lambda: of_pickle(content(b'N'), **{'archive/other.pkl': _HEAD + b'N.'}),
    'two members of one name': lambda: seal_zip(
        zipped([*members(saved({})).items(), ('ARCHIVE/data.pkl', _HEAD + content(b'N') + _END)])
    ),
    'members of two folders': lambda: of_pickle(content(b'N'), **{'other/data': b''}),
    'bytes of no member': lambda: seal_zip(_with_gap(zipped(members(saved(dict(meta=META, state_dict={})))), 1 << 20)),
    'bytes before it': _moved_directory,
    'a pickle and no zip': lambda: pickle.dumps(dict(meta=META, state_dict={}), 2) + seal_zip(b'PK\5\6' + b'\0' * 18),
    'an empty zip': lambda: seal_zip(b'PK\5\6' + b'\0' * 18),
    'a zip of no pickle': lambda: seal_zip(zipped({'archive/data': b''})),
    'an empty file': lambda: b'',
    'a directory of any size': lambda: seal_zip(b'PK\5\6' + b'\0' * 8 + struct.pack('<LL', 1 << 30, 0) + b'\0\0'),
}


def _with_gap(data: bytes, size: int) -> bytes:
    """Return a zip with unused bytes between its members and its directory."""
    at = data.index(b'PK\1\2')
    end = bytearray(data[at:])
    old = struct.pack('<L', at)
    return data[:at] + b'\0' * size + bytes(end).replace(old, struct.pack('<L', at + size))


def safetensors_file(header: object, tensors: bytes = b'') -> bytes:
    """Return a safetensors file with this header, a dict or its text, and the right checksum where it has the field."""
    text = header.encode() if isinstance(header, str) else json.dumps(header, separators=(',', ':')).encode()
    data = struct.pack('<Q', len(text)) + text + tensors
    return seal_safetensors(data) if EMPTY_FIELD['sha256'].encode() in text else data


def facts(text: str | None = None, **meta: object) -> dict[str, object]:
    return {'__metadata__': {'avzoo': text or json.dumps(dict(format='avzoo-weights', **meta)), **EMPTY_FIELD}}


def tensor(kind: str, shape: list[int], start: int, end: int) -> dict[str, object]:
    return dict(dtype=kind, shape=shape, data_offsets=[start, end])


DEEP = '[' * 100_000 + ']' * 100_000
WEIGHTS_FILES: dict[str, Callable[[], bytes]] = {
    'an empty file': lambda: b'',
    'eight bytes': lambda: b'\0' * 8,
    'zeros': lambda: b'\0' * 1000,
    'a header of any size': lambda: struct.pack('<Q', 1 << 62) + b'{}',
    'a header of 50 MB': lambda: struct.pack('<Q', 50 << 20) + b' ' * (50 << 20),
    'a header that is a list': lambda: safetensors_file('[]'),
    'a header that is no JSON': lambda: safetensors_file('{"a":'),
    'a header of odd entries': lambda: safetensors_file('{"a":5}'),
    'a deep header': lambda: safetensors_file(DEEP),
    'a deep header entry': lambda: safetensors_file(f'{{"a":{DEEP}}}'),
    'deep facts': lambda: safetensors_file(facts(DEEP)),
    'deep facts of the right format': lambda: safetensors_file(
        facts('{"format":"avzoo-weights","config":' + '{"a":' * 500 + '1' + '}' * 501)
    ),
    'facts that are a list': lambda: safetensors_file(facts('[]')),
    'facts that are a number': lambda: safetensors_file({'__metadata__': 5}),
    'a tensor beyond the end': lambda: safetensors_file(facts() | {'w': tensor('F32', [1 << 40], 0, 1 << 42)}),
    'tensors that overlap': lambda: safetensors_file(
        facts() | {'v': tensor('F32', [2], 0, 8), 'w': tensor('F32', [2], 4, 12)}, b'\0' * 12
    ),
    'a shape of more numbers': lambda: safetensors_file(facts() | {'w': tensor('F32', [1 << 20], 0, 4)}, b'\0' * 4),
    'negative offsets': lambda: safetensors_file(facts() | {'w': tensor('F32', [1], -4, 0)}),
    'bytes of no tensor': lambda: safetensors_file(facts(), b'\0' * 4),
    'an unknown kind': lambda: safetensors_file(facts() | {'w': tensor('F31', [1], 0, 4)}, b'\0' * 4),
    'NaN': lambda: safetensors_file(facts() | {'w': tensor('F32', [1], 0, 4)}, struct.pack('<f', float('nan'))),
    'infinity': lambda: safetensors_file(facts() | {'w': tensor('F64', [1], 0, 8)}, struct.pack('<d', float('inf'))),
    'a gamma of two numbers': lambda: safetensors_file(facts() | {'gamma': tensor('F64', [2], 0, 16)}, b'\0' * 16),
    'an infinite gamma': lambda: safetensors_file(
        facts() | {'gamma': tensor('F64', [], 0, 8)}, struct.pack('<d', float('-inf'))
    ),
    'a whole gamma': lambda: safetensors_file(facts() | {'gamma': tensor('I64', [], 0, 8)}, b'\0' * 8),
    'no checksum': lambda: safetensors_file({'__metadata__': {'avzoo': '{"format":"avzoo-weights"}'}}),
}


def lacking(path: Path, size: int) -> Path:
    """Make a file of this size that takes no room on the disk: all of it is a hole."""
    with open(path, 'wb') as file:
        file.truncate(size)
    return path
