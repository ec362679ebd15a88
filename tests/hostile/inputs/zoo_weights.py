"""Zoo weights, ``.safetensors``, and the JSON beside them."""

import json
import os
from pathlib import Path
from typing import Any

from avzoo.checkpoints.zoo_weights import read_zoo_weights
from tests.hostile.corpus import ACCEPTED, Call, Part
from tests.hostile.making import flip, nested, sparse, write_json
from tests.hostile.material import Material

PART = Part('zoo weights')
SIDE = Part('JSON of zoo weights')


def _file(folder: Path, material: Material, data: bytes) -> Call:
    (folder / 'x.safetensors').write_bytes(data)
    return Call(lambda: read_zoo_weights(folder / 'x.safetensors'))


def _changed(folder: Path, material: Material, change: Any) -> Call:
    """The weights alone, or with their JSON, with changed bytes."""
    return _file(folder, material, change(material.weights.read_bytes()))


def _header(folder: Path, material: Material, header: Any, data: bytes = bytes(64)) -> Call:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return _file(folder, material, len(text).to_bytes(8, 'little') + text + data)


def _meta(folder: Path, material: Material, meta: Any) -> Call:
    text = meta if isinstance(meta, str) else json.dumps(meta)
    return _header(folder, material, {'__metadata__': {'avzoo': text}})


def _side(folder: Path, material: Material, value: Any) -> Call:
    path = material.copy_weights(folder)
    if isinstance(value, bytes):
        path.with_suffix('.json').write_bytes(value)
    else:
        write_json(path.with_suffix('.json'), value)
    return Call(lambda: read_zoo_weights(path))


def _facts(folder: Path, material: Material, change: Any) -> Call:
    facts = json.loads(material.weights.with_suffix('.json').read_text())
    return _side(folder, material, facts | change)


def _pipe(folder: Path, material: Material) -> Call:
    os.mkfifo(folder / 'x.safetensors')
    return Call(lambda: read_zoo_weights(folder / 'x.safetensors'))


def _large(folder: Path, material: Material) -> Call:
    path = sparse(folder / 'x.safetensors', 1 << 35)
    return Call(lambda: read_zoo_weights(path))


def _tensor(dtype: str = 'F32', shape: Any = (4,), offsets: Any = (0, 16)) -> dict[str, Any]:
    return {'w': dict(dtype=dtype, shape=shape, data_offsets=offsets)}


PART.each(_changed, {f'cut at {i} %': lambda data, i=i: data[: len(data) * i // 100] for i in (0, 1, 20, 60, 99)})
PART.each(
    _changed,
    {
        f'a bit flipped at {i} %': lambda data, i=i: flip(data, (len(data) - 1) * i // 100, 2)
        for i in (0, 2, 9, 33, 50, 71, 90, 100)
    },
)
PART.each(
    _changed,
    {
        'bytes after the end': lambda data: data + b'more',
        'twice the file': lambda data: data + data,
        'a header of 2**63 bytes': lambda data: (1 << 63).to_bytes(8, 'little') + data[8:],
        'a header of no bytes': lambda data: bytes(8) + data[8:],
        'no checksum': lambda data: data.replace(b'"sha256"', b'"sha255"'),
    },
)
PART.each(
    _header,
    {
        'a header that is not JSON': b'not JSON',
        'a header that is a list': [],
        'a header 100,000 deep': nested(100_000).encode(),
        'a header with a key twice': b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32"}}',
        'an unknown type': _tensor('F7'),
        'a shape of 2**62': _tensor(shape=[2**62]),
        'a negative shape': _tensor(shape=[-4]),
        'offsets beyond the end': _tensor(offsets=[0, 1 << 40]),
        'offsets that go back': _tensor(offsets=[16, 0]),
        'metadata that is not text': {'__metadata__': {'avzoo': {'format': 'avzoo-weights'}}},
        'a header that is not UTF-8': b'{"\xff\xfe": 1}',
        'a NUL in a name': {'a\0b': dict(dtype='F32', shape=[4], data_offsets=[0, 16])},
    },
)
PART.each(
    _meta,
    {
        'facts that are not JSON': 'import os',
        'facts that are a list': [],
        'facts that are a number': 3,
        'facts 100,000 deep': nested(100_000),
        'facts 100,000 dicts deep': nested(100_000, '{'),
        'a number of 10,000 digits': '{"format":' + '9' * 10_000 + '}',
        'a format that is a list': dict(format=['avzoo-weights']),
        'classes of another kind': dict(format='avzoo-weights', classes=3),
        'a config that is text': dict(format='avzoo-weights', config='import os'),
        'wide data': dict(format='avzoo-weights', data_info=dict(embedding_dim=1e400)),
    },
)
PART.add('a pipe', _pipe)
PART.add('32 GB of zeros', _large)

SIDE.each(
    _side,
    {
        'empty': '',
        'not JSON': 'sha256: 0',
        'a list': [],
        'a number': 3,
        'text': '"sha256"',
        'null': 'null',
        'no SHA-256': {},
        '100,000 deep': nested(100_000),
        '100,000 dicts deep': nested(100_000, '{'),
        'a number of 10,000 digits': '{"sha256":' + '9' * 10_000 + '}',
        'not UTF-8': b'\xff\xfe{"sha256": 1}',
        'NUL bytes': bytes(4096),
    },
)
SIDE.each(
    _facts,
    {
        'another SHA-256': dict(sha256='0' * 64),
        'a SHA-256 that is a list': dict(sha256=[1]),
        'a SHA-256 that is None': dict(sha256=None),
        'other classes': dict(classes=['x'] * 11),
        'another gamma': dict(gamma=0.75),
        'a NaN gamma': dict(gamma=float('nan')),
        'classes that clear the screen': dict(classes=['\x1b[2J'] * 11),
    },
)
SIDE.each(_facts, {'more entries': dict(note='x', deep=[[[]]])}, ACCEPTED)


def _side_pipe(folder: Path, material: Material) -> Call:
    path = material.copy_weights(folder)
    path.with_suffix('.json').unlink()
    os.mkfifo(path.with_suffix('.json'))
    return Call(lambda: read_zoo_weights(path))


def _side_folder(folder: Path, material: Material) -> Call:
    path = material.copy_weights(folder)
    path.with_suffix('.json').unlink()
    path.with_suffix('.json').mkdir()
    return Call(lambda: read_zoo_weights(path))


def _side_huge(folder: Path, material: Material) -> Call:
    path = material.copy_weights(folder)
    sparse(path.with_suffix('.json'), 1 << 34, b'{')
    return Call(lambda: read_zoo_weights(path))


SIDE.add('a pipe', _side_pipe)
SIDE.add('a folder', _side_folder)
SIDE.add('16 GB of zeros', _side_huge)
