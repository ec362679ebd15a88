"""Feature stores: ``store.json``, arrays, tables and lists."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.protocol import train_splits
from tests.hostile.corpus import ACCEPTED, Call, Part
from tests.hostile.making import ESCAPE, changed, nested, npy, sparse, write_json
from tests.hostile.material import Material

PART = Part('feature store')
TABLES = Part('lists and tables of a store')


def _open(root: Path) -> Call:
    """Read all that a training reads."""

    def read() -> None:
        store = FeatureStore(root)
        for draw in range(2):
            data = GFSLDataset(root, splits=train_splits(2, draw), num_shots=2)
            data.data_info  # noqa: B018
            data.class_embeddings  # noqa: B018
            data[0]
        for name in ('val_base', 'val_novel', 'test_base', 'test_novel_0'):
            store.split(2, name)
        store.split_sizes(2)

    return Call(read)


def _json(folder: Path, material: Material, content: Any) -> Call:
    root = material.copy_store(folder)
    if isinstance(content, bytes):
        (root / 'store.json').write_bytes(content)
    else:
        write_json(root / 'store.json', content)
    return _open(root)


def _entry(folder: Path, material: Material, change: Any) -> Call:
    meta = json.loads((material.store / 'store.json').read_text())
    return _json(folder, material, changed(meta, *change))


def _array(folder: Path, material: Material, content: Any, file: str = 'audio.npy') -> Call:
    root = material.copy_store(folder)
    if isinstance(content, bytes):
        (root / file).write_bytes(content)
    else:
        content(root / file)
    return _open(root)


def _header(folder: Path, material: Material, header: str) -> Call:
    return _array(folder, material, npy(header, bytes(4096)))


def _vectors(folder: Path, material: Material, array: np.ndarray) -> Call:
    root = material.copy_store(folder)
    file = json.loads((root / 'store.json').read_text())['class_embeddings']['text']['file']
    np.save(root / file, array, allow_pickle=True)
    return _open(root)


def _text(file: str) -> Any:
    """Return what replaces a text file of the store: by bytes, or by a change of its text."""

    def make(folder: Path, material: Material, content: Any) -> Call:
        path = material.copy_store(folder) / file
        path.write_bytes(content if isinstance(content, bytes) else content(path.read_text()).encode())
        return _open(folder / 'store')

    return make


def _line(row: int, column: int, value: str) -> Any:
    """Return a change of one field of a csv."""

    def change(text: str) -> str:
        lines = text.split('\n')
        fields = lines[row].split(',')
        fields[column] = value
        return '\n'.join([*lines[:row], ','.join(fields), *lines[row + 1 :]])

    return change


PART.each(
    _json,
    {
        'empty': '',
        'not JSON': 'format: avzoo',
        'a list': [],
        'a number': 3,
        '100,000 deep': nested(100_000),
        '100,000 dicts deep': nested(100_000, '{'),
        'not UTF-8': b'\xff\xfe{}',
        'a number of 10,000 digits': '{"version":' + '9' * 10_000 + '}',
        'NUL bytes': bytes(1000),
    },
    prefix='store.json: ',
)
PART.each(
    _entry,
    {
        'another format': ('format', 'other'),
        'a version that is text': ('version', '1'),
        'a later version': ('version', 2),
        'a name that is a number': ('name', 5),
        'no modalities': ('modalities', {}),
        'modalities of another kind': ('modalities', [1]),
        'a modality named by a path': ('modalities', {'../audio': {}}),
        'a width of 0': ('modalities.audio.dim', 0),
        'a width of 2**62': ('modalities.audio.dim', 2**62),
        'a width that is a float': ('modalities.audio.dim', 6.0),
        'steps of 2**80': ('modalities.audio.num_steps', 2**80),
        'a negative count of steps': ('modalities.audio.num_steps', -1),
        'a type that runs code': ('modalities.audio.dtype', 'O'),
        'a type that is a list': ('modalities.audio.dtype', ['float32']),
        'a step of 0 s': ('modalities.audio.seconds_per_step', 0),
        'a step of NaN s': ('modalities.audio.seconds_per_step', float('nan')),
        'a step of 1e300 s': ('modalities.audio.seconds_per_step', 1e300),
        'a step that is text': ('modalities.audio.seconds_per_step', '0.96'),
        'a file that leads out': ('modalities.audio.file', '../secret.npy'),
        'an absolute file': ('modalities.audio.file', '/etc/hostname'),
        'a file with NUL': ('modalities.audio.file', 'a\0b'),
        'a file that is a number': ('modalities.audio.file', 3),
        'a file of 5,000 characters': ('modalities.audio.file', 'a' * 5000),
        'a file that is a folder': ('modalities.audio.file', 'splits'),
        'a digest that is a number': ('modalities.audio.sha256', 3),
        'class vectors of another kind': ('class_embeddings', [1]),
        'class vectors that lead out': ('class_embeddings.text.file', '../secret.npy'),
        'digests of another kind': ('sha256', [1]),
        'a digest of a path that leads out': ('sha256', {'../../etc/hostname': 'x'}),
        'a count of videos that is text': ('num_videos', '5'),
        'another count of videos': ('num_videos', 1),
    },
    prefix='store.json: ',
)
PART.each(
    _header,
    {
        'a shape of 2**62': "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 6), }",
        'a negative shape': "{'descr': '<f4', 'fortran_order': False, 'shape': (-5, 6), }",
        'a shape of floats': "{'descr': '<f4', 'fortran_order': False, 'shape': (5.0, 6), }",
        'Fortran order': "{'descr': '<f4', 'fortran_order': True, 'shape': (4, 6), }",
        'objects': "{'descr': '|O', 'fortran_order': False, 'shape': (4, 6), }",
        'a call': "__import__('os').system('touch ran')",
        '9,000 brackets': '[' * 9000,
        'not a dict': '5',
        'a dict with more keys': "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 6), 'x': 1}",
        'a subarray': "{'descr': ('<f4', (99999999,)), 'fortran_order': False, 'shape': (4, 6), }",
    },
    prefix='array: a header of ',
)
PART.each(
    _array,
    {
        'empty': b'',
        'text': b'not an array',
        'cut': lambda path: os.truncate(path, path.stat().st_size // 2),
        'a version 9': b'\x93NUMPY\x09\x00' + bytes(200),
        'a zip': b'PK\x03\x04' + bytes(100),
        'missing': Path.unlink,
        'a folder': lambda path: (path.unlink(), path.mkdir()),
        'a pipe': lambda path: (path.unlink(), os.mkfifo(path)),
        'a link to itself': lambda path: (path.unlink(), path.symlink_to(path)),
        'a device': lambda path: (path.unlink(), path.symlink_to('/dev/zero')),
    },
    prefix='array: ',
)
PART.each(
    _vectors,
    {
        'of objects': np.array([[object] * 5] * 11, object),
        'NaN': np.full((11, 5), np.nan, np.float32),
        'infinite': np.full((11, 5), np.inf, np.float32),
        'of another shape': np.zeros((3, 5), np.float32),
        'of doubles': np.zeros((11, 5)),
        'of text': np.full((11, 5), 'x'),
    },
    prefix='class vectors: ',
)
TABLES.each(
    _text('videos.csv'),
    {
        'empty': b'',
        'NUL bytes': bytes(500),
        'not UTF-8': b'video_id,label\n\xff\xfe,x\n',
        'a missing column': lambda text: text.replace('audio_start', 'start'),
        'a negative start': _line(1, 2, '-1'),
        'a start of 2**70': _line(1, 2, str(2**70)),
        'a start of 2**63 - 1': _line(1, 2, str(2**63 - 1)),
        'a start that is a float': _line(1, 2, '1.5'),
        'a start of Arabic digits': _line(1, 2, '٣x'),
        'a length of 0': _line(1, 3, '0'),
        'a length of all': _line(1, 3, '99999'),
        'overlapping rows': _line(2, 2, '0'),
        'an unknown class': _line(1, 1, 'cat'),
        'an empty id': _line(1, 0, ''),
        'an id that clears the screen': _line(1, 0, f'{ESCAPE}x'),
        'an id of two lines': _line(1, 0, '"a\nb"'),
        'an id twice': lambda text: _line(2, 0, text.split('\n')[1].split(',')[0])(text),
        'a line that is cut': lambda text: text[:-9],
        'a field of 200,000 characters': _line(1, 0, 'x' * 200_000),
        'a quote without end': _line(1, 0, '"abc'),
        'no videos': lambda text: text.split('\n')[0] + '\n',
        'a huge number of digits': _line(1, 2, '9' * 10_000),
    },
    prefix='videos.csv: ',
)
TABLES.each(
    _text('classes.csv'),
    {
        'empty': b'',
        'a missing column': b'name,words\na,a\n',
        'a class twice': lambda text: text.replace('class01', 'class00'),
        'a class that clears the screen': lambda text: text.replace('class01', f'{ESCAPE}x'),
        'a class less': lambda text: '\n'.join(text.split('\n')[:-3]) + '\n',
        'a class more': lambda text: text + 'more,more\n',
    },
    prefix='classes.csv: ',
)
TABLES.each(
    _text('splits/2shot/stage2_base.txt'),
    {
        'empty': b'',
        'blank lines': b'\n\n\n',
        'an unknown video': b'nobody\n',
        'a path': b'../../secret\n',
        'an escape sequence': b'\x1b[2J\n',
        'NUL bytes': bytes(1000),
        'not UTF-8': b'\xff\xfe\n',
        'a video twice': lambda text: text + text.split('\n')[0] + '\n',
    },
    prefix='split: ',
)


def _leak(folder: Path, material: Material) -> Call:
    """A video of the test is added to the shots that are trained on."""
    splits = material.copy_store(folder) / 'splits/2shot'
    video = (splits / 'test_novel_0.txt').read_text().split('\n')[0]
    with open(splits / 'stage2_novel_0.txt', 'a') as file:
        file.write(f'{video}\n')
    return Call('train', [material.config, '--dry-run', '--cfg-options', f'data_root={folder / "store"}'])


def _long_line(folder: Path, material: Material) -> Call:
    """One line of 200 MB in a list."""
    root = material.copy_store(folder)
    sparse(root / 'splits/2shot/stage2_base.txt', 200_000_000, b'a')
    return _open(root)


def _long_table(folder: Path, material: Material) -> Call:
    root = material.copy_store(folder)
    sparse(root / 'videos.csv', 8_000_000_000, b'video_id,label')
    return _open(root)


def _long_json(folder: Path, material: Material) -> Call:
    root = material.copy_store(folder)
    sparse(root / 'store.json', 8_000_000_000, b'{')
    return _open(root)


def _pipe(file: str) -> Any:
    def make(folder: Path, material: Material) -> Call:
        path = material.copy_store(folder) / file
        path.unlink()
        os.mkfifo(path)
        return _open(folder / 'store')

    return make


def _numbered(folder: Path, material: Material, name: str) -> Call:
    (material.copy_store(folder) / 'splits' / name).mkdir()
    return _open(folder / 'store')


TABLES.add('split: a test video that is trained on', _leak)
TABLES.add('split: a line of 200 MB', _long_line)
TABLES.add('videos.csv: 8 GB of zeros', _long_table)
PART.add('store.json: 8 GB of zeros', _long_json)
for _file in ('store.json', 'videos.csv', 'classes.csv', 'splits/2shot/stage2_base.txt'):
    TABLES.add(f'{_file}: a pipe', _pipe(_file))
TABLES.each(
    _numbered,
    {'of a number of 200 digits': '9' * 200 + 'shot', 'of Arabic digits': '٣shot', 'of superscript digits': '²shot'},
    ACCEPTED,
    prefix='a folder of splits ',
)
