"""Your own features, lists and class vectors, which become a store."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tests.hostile.child import SECRET
from tests.hostile.corpus import EITHER, Call, Part
from tests.hostile.making import ESCAPE, code_pickles, npy, sparse, write_foreign_module
from tests.hostile.material import Material

PART = Part('features and lists to import')
_OBJECT = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"


def _import(folder: Path, change: Any = None, *, features: Path | None = None, options: tuple = ()) -> Call:
    if change is not None:
        change(folder / 'lists')
    lists = folder / 'lists'
    arguments = ['--lists', lists, '--features', features or lists / 'features.npz', '--shots', 1, *options]
    return Call(
        'dataset_converters/features',
        [folder / 'work/out', *arguments, '--class-embeddings', lists / 'vectors.npy'],
    )


def _copy(folder: Path, material: Material) -> Path:
    return Path(shutil.copytree(material.lists, folder / 'lists'))


def _list(folder: Path, material: Material, change: Any) -> Call:
    path = _copy(folder, material) / 'stage_1_train.csv'
    path.write_bytes(
        change if isinstance(change, bytes) else change(path.read_text()).encode('utf-8', 'surrogateescape')
    )
    return _import(folder)


def _vectors(folder: Path, material: Material, content: Any) -> Call:
    write_foreign_module(folder)
    path = _copy(folder, material) / 'vectors.npy'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    return _import(folder)


def _arrays(folder: Path, material: Material, change: Any) -> Call:
    path = _copy(folder, material) / 'features.npz'
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {key: value(arrays[key]) for key, value in change.items()})
    return _import(folder)


def _loose(folder: Path, material: Material, video: str) -> Call:
    """A folder of arrays, and a list whose video is a path."""
    lists = _copy(folder, material)
    for key, width in (('audio', 6), ('visual', 9)):
        (folder / 'loose' / key).mkdir(parents=True)
        with np.load(lists / 'features.npz') as file:
            for name in file['video_id']:
                np.save(folder / 'loose' / key / f'{name}.npy', np.ones((1, width)))
    np.save(folder / f'{SECRET}.npy', np.ones((1, 6)))
    path = lists / 'stage_1_train.csv'
    path.write_text(path.read_text().replace('stage_1_train_0', video.format(folder=folder)))
    return _import(folder, features=folder / 'loose')


def _argument(folder: Path, material: Material, options: tuple) -> Call:
    _copy(folder, material)
    return _import(folder, options=options)


def _odd_file(folder: Path, material: Material, change: tuple) -> Call:
    name, make = change
    path = _copy(folder, material) / name
    path.unlink()
    make(path)
    return _import(folder)


def _row(text: str) -> Any:
    return lambda content: content.replace('stage_1_train_0,aa', text)


PART.each(
    _list,
    {
        'a class that clears the screen': _row(f'stage_1_train_0,{ESCAPE}aa'),
        'a class of two lines': _row('stage_1_train_0,"a\na"'),
        'a video that clears the screen': _row(f'{ESCAPE}x,aa'),
        'an empty video': _row(',aa'),
        'a video twice': _row('stage_1_train_1,aa'),
        'a video of two lists': _row('stage_2_test_seen_0,aa'),
        'a class that is novel too': _row('stage_1_train_0,cc'),
        'a row that is cut': _row('stage_1_train_0'),
        'NUL': _row('stage\0,aa'),
        'half of a pair': _row('x\udcff,aa'),
        'a field of 200,000 characters': _row('x' * 200_000 + ',aa'),
        'a quote without end': _row('"x'),
        'no column label': lambda text: text.replace('label', 'lable'),
        'nothing': b'',
        'zeros': bytes(5000),
        'a spreadsheet': b'PK\x03\x04' + bytes(500),
    },
    prefix='list: ',
)
PART.each(
    _loose,
    {
        'leads out': f'../../{SECRET}',
        'leads out and back': f'x/../../../{SECRET}',
        'is absolute': f'{{folder}}/{SECRET}',
        'is of the other modality': '../visual/stage_1_train_0',
        'is this folder': '.',
    },
    prefix='list: a video that ',
)
PART.each(
    _vectors,
    {f'a pickle that {key}': npy(_OBJECT, data) for key, data in list(code_pickles().items())[:6]}
    | {
        'NaN': np.full((3, 5), np.nan),
        'infinite as floats': np.full((3, 5), 1e39),
        'of two classes': np.zeros((2, 5)),
        'of one axis': np.zeros(3),
        'of text': np.full((3, 5), 'x'),
        'complex': np.zeros((3, 5), complex),
        'of no width': np.zeros((3, 0)),
        'text': b'not an array',
    },
    prefix='class vectors: ',
)
PART.each(
    _arrays,
    {
        'audio NaN': dict(audio=lambda x: x * np.nan),
        'audio infinite as floats': dict(audio=lambda x: x + 1e39),
        'audio complex': dict(audio=lambda x: x.astype(complex)),
        'audio text': dict(audio=lambda x: x.astype(str)),
        'audio of no width': dict(audio=lambda x: x[:, :0]),
        'audio of fewer videos': dict(audio=lambda x: x[1:]),
        'names of floats': dict(video_id=lambda x: np.arange(len(x)) / 2),
        'names that clear the screen': dict(video_id=lambda x: np.char.add(ESCAPE, x)),
        'names twice': dict(video_id=lambda x: np.repeat(x[:1], len(x))),
    },
    prefix='features: ',
)
PART.each(
    _argument,
    {
        'shots of 0': ('--shots', 0),
        'shots of 1e9': ('--shots', 10**9),
        'a negative seed': ('--seed', -1),
        'a step of 0 s': ('--seconds-audio', 0),
        'a step of NaN s': ('--seconds-audio', 'nan'),
        'a type of objects': ('--dtype', 'O'),
    },
)
PART.each(
    _argument,
    {'a name that clears the screen': ('--name', f'{ESCAPE}x'), 'a name that leads out': ('--name', '../../x')},
    EITHER,
)
PART.each(
    _odd_file,
    {
        'a list that is a pipe': ('stage_1_train.csv', os.mkfifo),
        'a list that is a folder': ('stage_1_train.csv', Path.mkdir),
        'a list that links to itself': ('stage_1_train.csv', lambda path: path.symlink_to(path)),
        'a list of 8 GB of zeros': ('stage_1_train.csv', lambda path: sparse(path, 1 << 33, b'filename,label\n')),
        'vectors that are a pipe': ('vectors.npy', os.mkfifo),
        'features that are a pipe': ('features.npz', os.mkfifo),
        'features that are a folder': ('features.npz', Path.mkdir),
        'a table of classes that is a device': ('classes.csv', lambda path: path.symlink_to('/dev/zero')),
    },
)
