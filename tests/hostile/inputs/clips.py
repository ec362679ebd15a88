"""Features of clips for a prediction: ``.npz`` files and folders of arrays."""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.importers.clips import ClipReader
from tests.hostile.corpus import ACCEPTED, EITHER, Call, Part
from tests.hostile.making import (
    ESCAPE,
    append_member,
    code_pickles,
    deflated_zeros,
    flip,
    npy,
    sparse,
    write_foreign_module,
)
from tests.hostile.material import Material

PART = Part('npz of clips')
_F4 = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
_OBJECT = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"


def _predict(material: Material, path: Path) -> Call:
    return Call('predict', [material.config, material.checkpoint, '--features', path, '--device', 'cpu'])


def _read(path: Path) -> Call:
    def read() -> None:
        clips = ClipReader(path)
        for name in clips.choose(None):
            clips.read(name)

    return Call(read)


def _member(folder: Path, material: Material, data: bytes) -> Call:
    write_foreign_module(folder)
    with zipfile.ZipFile(folder / 'x.npz', 'w') as file:
        file.writestr('audio.npy', data)
    return _read(folder / 'x.npz')


def _pickled(folder: Path, material: Material, data: bytes) -> Call:
    return _member(folder, material, npy(_OBJECT, data))


def _many_pickled(folder: Path, material: Material, data: bytes) -> Call:
    """Code in the names of the videos."""
    write_foreign_module(folder)
    with zipfile.ZipFile(folder / 'x.npz', 'w') as file:
        file.writestr('video_id.npy', npy(_OBJECT, data))
    return _read(folder / 'x.npz')


def _bytes(folder: Path, material: Material, change: Any) -> Call:
    (folder / 'x.npz').write_bytes(change(material.clip.read_bytes()))
    return _read(folder / 'x.npz')


def _arrays(folder: Path, material: Material, arrays: dict[str, Any]) -> Call:
    np.savez(folder / 'x.npz', **arrays)
    return _predict(material, folder / 'x.npz')


def _clip(folder: Path, material: Material, audio: Any) -> Call:
    return _arrays(folder, material, dict(audio=audio, visual=np.zeros((2, 9))))


def _bomb(folder: Path, material: Material) -> Call:
    packed, size, crc = deflated_zeros(150)
    append_member(folder / 'x.npz', 'audio.npy', packed, size, crc)
    return _read(folder / 'x.npz')


def _claimed(folder: Path, material: Material, size: int) -> Call:
    """Few bytes whose directory claims another size."""
    packed, _, crc = deflated_zeros(1)
    append_member(folder / 'x.npz', 'audio.npy', packed, size, crc)
    return _read(folder / 'x.npz')


def _many_members(folder: Path, material: Material) -> Call:
    with zipfile.ZipFile(folder / 'x.npz', 'w') as file:
        for i in range(20_000):
            file.writestr(f'{i}.npy', b'')
    return _read(folder / 'x.npz')


def _named(folder: Path, material: Material, name: str) -> Call:
    """A clip whose file name is hostile, in a folder of clips."""
    (folder / 'clips').mkdir()
    (folder / 'clips' / name).write_bytes(material.clip.read_bytes())
    return _predict(material, folder / 'clips')


def _file(folder: Path, material: Material, make: Any) -> Call:
    make(folder / 'x.npz')
    return _predict(material, folder / 'x.npz')


def _loose(folder: Path, material: Material, data: bytes) -> Call:
    """A folder with one array of each modality, one of them hostile."""
    write_foreign_module(folder)
    for key in ('audio', 'visual'):
        (folder / 'clips' / key).mkdir(parents=True)
    (folder / 'clips/audio/x.npy').write_bytes(data)
    np.save(folder / 'clips/visual/x.npy', np.zeros((2, 9)))
    return _read(folder / 'clips')


PART.each(_pickled, code_pickles(), prefix='an array whose pickle ')
PART.each(_many_pickled, dict(list(code_pickles().items())[:4]), prefix='names whose pickle ')
PART.each(
    _member,
    {
        'a header of 2**62 rows': npy(_F4 % '(4611686018427387904, 6)'),
        'a header of 10**11 numbers': npy(_F4 % '(100000000000,)'),
        'a header of 40 axes': npy(_F4 % str((1,) * 70)),
        'a header with a call': npy("__import__('os').system('touch ran')"),
        'a header of 60,000 brackets': npy('[' * 60_000),
        'a header of 4 GB': b'\x93NUMPY\x02\x00\xff\xff\xff\xff',
        'a structured type': npy("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,), }", b'N.'),
        'objects in version 2': npy(_OBJECT, b'N.', (2, 0)),
        'an empty member': b'',
        'a pickle 100,000 deep': npy(_OBJECT, b'\x80\x02' + b']' * 100_000 + b'a' * 99_999 + b'.'),
        'a pickle of 2**40 bytes': npy(_OBJECT, b'\x80\x04\x8e' + (1 << 40).to_bytes(8, 'little') + b'x.'),
        'a pickle of a memo of 2**31': npy(_OBJECT, b'\x80\x04Nr\xff\xff\xff\x7f.'),
        'a pickle of 28 doubled lists': npy(
            _OBJECT,
            b'\x80\x02'
            + b']q\x00'
            + b''.join(b'](h%ch%ce.'[:-1] % (i, i) + b'q%c' % (i + 1) for i in range(28))
            + b'.',
        ),
    },
)
PART.each(
    _bytes,
    {f'cut at {i} %': lambda data, i=i: data[: len(data) * i // 100] for i in (0, 1, 30, 70, 99)}
    | {
        f'a bit flipped in the numbers of array {i}': lambda data, i=i: flip(
            data, data.split(b'NUMPY', i)[0].__len__() + 160, 4
        )
        for i in (1, 2)
    }
    | {
        'the first byte cut off': lambda data: data[1:],
        'text': lambda data: b'text',
        'a .npy': lambda data: npy(_F4 % '(1, 6)', bytes(24)),
        'zeros': lambda data: bytes(9000),
    },
)
PART.each(
    _clip,
    {
        'NaN': np.full((2, 6), np.nan),
        'infinity': np.full((2, 6), np.inf),
        'doubles that are infinite as floats': np.full((2, 6), 1e39),
        'an array of text': np.full((2, 6), 'x'),
        'complex numbers': np.zeros((2, 6), complex),
        'dates': np.zeros((2, 6), 'M8[s]'),
        'no steps': np.zeros((0, 6)),
        'another width': np.zeros((2, 7)),
        'three axes': np.zeros((1, 2, 6)),
        'no axis': np.float32(3),
        'objects': np.array([[None] * 6], object),
        'boolean': np.ones((2, 6), np.void),
    },
)
PART.each(
    _arrays,
    {
        'no arrays': {},
        'other arrays': dict(x=np.zeros(3)),
        'one modality only': dict(audio=np.zeros((2, 6))),
        'names of numbers and no features': dict(video_id=np.arange(3)),
        'names that clear the screen': dict(
            video_id=np.array([f'{ESCAPE}x']), audio=np.zeros((1, 6)), visual=np.zeros((1, 9))
        ),
        'names of two lines': dict(video_id=np.array(['a\nb']), audio=np.zeros((1, 6)), visual=np.zeros((1, 9))),
        'names twice': dict(video_id=np.array(['a', 'a']), audio=np.zeros((2, 6)), visual=np.zeros((2, 9))),
        'lengths that overflow': dict(
            video_id=np.array(['a', 'b']),
            audio=np.zeros((2, 6)),
            audio_len=np.array([2**63 - 1, 2**63 - 1]),
            visual=np.zeros((2, 9)),
        ),
        'negative lengths': dict(
            video_id=np.array(['a', 'b']), audio=np.zeros((2, 6)), audio_len=np.array([-1, 3]), visual=np.zeros((2, 9))
        ),
    },
)
PART.each(_clip, {'features of 1e30': np.full((2, 6), 1e30)}, EITHER)
PART.each(_clip, {'whole numbers': np.ones((2, 6), np.int64)}, ACCEPTED)
PART.add('a deflated bomb of 2.4 GB', _bomb)
PART.each(
    _claimed,
    {'16 MB that claim to be 0': 0, '16 MB that claim to be 1 byte': 1, '16 MB that claim to be 4 GB': 0xFFFFFFF0},
)
PART.add('20,000 empty members', _many_members)
PART.each(
    _named,
    {
        'a file name that clears the screen': '\x1b[2Jx.npz',
        'a file name of two lines': 'a\nerror: b.npz',
        'a file name that is not UTF-8': 'a\udcff.npz',
        'a file name of 250 characters': 'a' * 246 + '.npz',
        'a file name like an option': '--help.npz',
    },
    ACCEPTED,
)
PART.each(
    _file,
    {
        'a pipe': os.mkfifo,
        'a device': lambda path: path.symlink_to('/dev/zero'),
        'a link to itself': lambda path: path.symlink_to(path),
        '8 GB of zeros': lambda path: sparse(path, 1 << 33),
        'an empty folder': Path.mkdir,
    },
)
PART.each(
    _loose,
    {f'a loose array whose pickle {key}': npy(_OBJECT, data) for key, data in list(code_pickles().items())[:5]}
    | {
        'a loose array of 2**62 rows': npy(_F4 % '(4611686018427387904, 6)'),
        'a loose array that is cut': npy(_F4 % '(9, 6)', b'x'),
    },
)
