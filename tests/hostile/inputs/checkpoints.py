"""Training checkpoints, ``.pth``: damaged files, code, and foreign kinds of content."""

import os
import zipfile
from pathlib import Path
from typing import Any

import torch

from avzoo.checkpoints.training import load_checkpoint
from tests.hostile.corpus import Call, Part
from tests.hostile.making import (
    append_member,
    code_pickles,
    cyclic,
    deflated_zeros,
    flip,
    nested_list,
    sparse,
    write_checkpoint,
    write_foreign_module,
    write_torch_zip,
)
from tests.hostile.material import Material

PART = Part('checkpoint')


def _read(path: Path) -> Call:
    return Call(lambda: load_checkpoint(path))


def _bare_pickle(folder: Path, material: Material, data: bytes) -> Call:
    write_foreign_module(folder)
    (folder / 'x.pth').write_bytes(data)
    return _read(folder / 'x.pth')


def _pickle_in_zip(folder: Path, material: Material, data: bytes) -> Call:
    write_foreign_module(folder)
    return _read(write_torch_zip(folder / 'x.pth', material.content(), data))


def _cut(folder: Path, material: Material, share: float) -> Call:
    data = material.checkpoint.read_bytes()
    (folder / 'x.pth').write_bytes(data[: int(share * len(data))])
    return _read(folder / 'x.pth')


def _flipped(folder: Path, material: Material, share: float) -> Call:
    data = material.checkpoint.read_bytes()
    (folder / 'x.pth').write_bytes(flip(data, int(share * (len(data) - 1)), 3))
    return _read(folder / 'x.pth')


def _predict(folder: Path, material: Material, content: Any) -> Call:
    path = write_checkpoint(folder / 'x.pth', content)
    return Call('predict', [material.config, path, '--features', material.clip, '--device', 'cpu'])


def _content(folder: Path, material: Material, content: Any) -> Call:
    return _read(write_checkpoint(folder / 'x.pth', content))


def _state(folder: Path, material: Material, change: Any) -> Call:
    content = material.content()
    change(content['state_dict'])
    return _predict(folder, material, content)


def _gamma(folder: Path, material: Material, value: Any) -> Call:
    content = material.content()
    content['state_dict']['gamma'] = value
    return _predict(folder, material, content)


def _set(key: str, value: Any) -> Any:
    def change(state: dict[Any, Any]) -> None:
        name = next(name for name in state if name.endswith('weight') and state[name].dim() == 2)
        state[key or name] = value(state[name]) if callable(value) else value

    return change


PART.each(_bare_pickle, code_pickles(), prefix='a pickle that ')
PART.each(_pickle_in_zip, code_pickles(), prefix='a file of torch.save whose pickle ')
PART.each(_cut, {f'cut at {share:.2%}': share for share in (0, 0.0005, 0.01, 0.5, 0.9, 0.999, 0.99999)})
PART.each(_flipped, {f'a bit flipped at {i} %': i / 100 for i in (0, 3, 11, 25, 40, 50, 62, 75, 88, 97, 99, 100)})
PART.each(
    _content,
    {
        'a list': [],
        'nothing': None,
        'a number': 3,
        'a tensor': torch.zeros(3),
        'an empty dict': {},
        'no state_dict': dict(meta=dict(format='avzoo-checkpoint')),
        'meta of another kind': dict(meta=[1], state_dict={}),
        'another format': dict(meta=dict(format='other'), state_dict={}),
        'a format that is a tensor': dict(meta=dict(format=torch.zeros(2)), state_dict={}),
        'a state_dict that is a list': dict(meta=dict(format='avzoo-checkpoint'), state_dict=[torch.zeros(1)]),
        'a cyclic dict': dict(meta=dict(format='avzoo-checkpoint', config=cyclic()), state_dict={}),
    },
)
PART.each(
    _state,
    {
        'no weights': lambda state: state.clear(),
        'one weight more': _set('more', torch.zeros(1)),
        'a name that is a number': _set(7, torch.zeros(1)),
        'NaN weights': _set('', lambda value: value * float('nan')),
        'infinite weights': _set('', lambda value: value / 0),
        'weights of whole numbers': _set('', lambda value: value.long()),
        'complex weights': _set('', lambda value: value.to(torch.complex64)),
        'boolean weights': _set('', lambda value: value > 0),
        'sparse weights': _set('', lambda value: value.to_sparse()),
        'quantized weights': _set('', lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8)),
        'weights without data': _set('', lambda value: value.to('meta')),
        'transposed weights': _set('', lambda value: value.T),
        'a weight of 2**40 equal numbers': _set('', torch.zeros(1).expand(1 << 20, 1 << 20)),
        'a weight that is text': _set('', 'text'),
        'gamma is missing': lambda state: state.pop('gamma'),
    },
)
PART.each(
    _gamma,
    {
        'gamma NaN': torch.tensor(float('nan')),
        'gamma infinite': torch.tensor(float('inf')),
        'gamma of two numbers': torch.zeros(2),
        'gamma a whole number': torch.tensor(1),
        'gamma text': 'high',
        'gamma a float': 0.5,
    },
)


def _deep(folder: Path, material: Material) -> Call:
    content = material.content()
    content['meta']['history'] = nested_list(300)
    return _predict(folder, material, content)


def _deep_pickle(folder: Path, material: Material) -> Call:
    """A list in a list, 100,000 times, as bytes: Python could not write it."""
    deep = b'\x80\x02' + b']' * 100_000 + b'a' * 99_999 + b'.'
    return _read(write_torch_zip(folder / 'x.pth', {}, deep))


def _bomb(folder: Path, material: Material) -> Call:
    """A tensor of 1.2 GB of zeros, in 1.2 MB."""
    content = {'w': torch.zeros(1)}
    plain = write_torch_zip(folder / 'plain.pth', content)
    packed, size, crc = deflated_zeros(75)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(folder / 'x.pth', 'w') as target:
        for name in source.namelist():
            if name.endswith('data.pkl'):
                numbers = b'\x8a\x04' + (size // 4).to_bytes(4, 'little')
                target.writestr(name, source.read(name).replace(b'K\x01', numbers))
            elif not name.endswith('data/0'):
                target.writestr(name, source.read(name))
    append_member(folder / 'x.pth', 'archive/data/0', packed, size, crc)
    return _read(folder / 'x.pth')


def _large_hole(folder: Path, material: Material, start: bytes) -> Call:
    return _read(sparse(folder / 'x.pth', 1 << 35, start))


def _claimed_storage(folder: Path, material: Material) -> Call:
    """The pickle asks for a tensor of 2**38 numbers of a storage of one."""
    content = {'w': torch.zeros(1)}
    path = write_torch_zip(folder / 'plain.pth', content)
    with zipfile.ZipFile(path) as file:
        data = next(file.read(name) for name in file.namelist() if name.endswith('data.pkl'))
    data = data.replace(b'K\x01\x85', b'\x8a\x05\x00\x00\x00\x00\x40\x85', 1)
    return _read(write_torch_zip(folder / 'x.pth', content, data))


def _pipe(folder: Path, material: Material) -> Call:
    os.mkfifo(folder / 'x.pth')
    return _read(folder / 'x.pth')


def _text(folder: Path, material: Material, data: bytes) -> Call:
    (folder / 'x.pth').write_bytes(data)
    return _read(folder / 'x.pth')


def _circle(folder: Path, material: Material) -> Call:
    (folder / 'x.pth').symlink_to(folder / 'x.pth')
    return _read(folder / 'x.pth')


PART.add('a list 300 deep in the meta', _deep)
PART.add('a list 100,000 deep', _deep_pickle)
PART.add('a deflated bomb of 1.6 GB', _bomb)
PART.each(_large_hole, {'32 GB of zeros': b'', '32 GB of zeros after a zip': b'PK\x03\x04'})
PART.add('a tensor larger than its storage', _claimed_storage)
PART.add('a pipe', _pipe)
PART.add('a link to itself', _circle)
PART.each(
    _text,
    {
        'a web page': b'<!DOCTYPE html><html>404</html>',
        'an empty zip': b'PK\x05\x06' + bytes(18),
        'random bytes': bytes(range(256)) * 40,
        'a tar of the old torch': b'pickle\0' * 100,
    },
)
