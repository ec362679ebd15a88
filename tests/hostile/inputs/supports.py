"""Folders of clips of new classes, for an adaptation."""

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.importers.support_set import open_support_set, zero_vectors
from tests.hostile.corpus import Call, Part
from tests.hostile.making import ESCAPE, code_pickles, npy, write_foreign_module
from tests.hostile.material import CLASSES, Material

PART = Part('support folder')
_OBJECT = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"


def _open(path: Path, folder: Path) -> Call:
    def read() -> None:
        open_support_set(
            path,
            shots=2,
            known=CLASSES[:9],
            scratch=folder / 'work',
            seconds=dict(audio=0.96, visual=0.64),
            missing_vectors=partial(zero_vectors, width=5),
        )

    return Call(read)


def _changed(folder: Path, material: Material, change: Any) -> Call:
    write_foreign_module(folder)
    path = Path(shutil.copytree(material.support, folder / 'support'))
    change(path)
    return _open(path, folder)


def _renamed(name: str) -> Any:
    return lambda path: (path / 'tap dance').rename(path / name)


def _vectors(content: Any) -> Any:
    def change(path: Path) -> None:
        if isinstance(content, bytes):
            (path / 'class_embeddings.npy').write_bytes(content)
        else:
            np.save(path / 'class_embeddings.npy', content)

    return change


def _table(content: bytes) -> Any:
    return lambda path: (path / 'classes.csv').write_bytes(content)


def _clip(**arrays: Any) -> Any:
    return lambda path: np.savez(path / 'tap dance/0.npz', **arrays)


def _replaced(name: str, make: Any) -> Any:
    def change(path: Path) -> None:
        if (path / name).exists():
            (path / name).unlink()
        make(path / name)

    return change


PART.each(
    _changed,
    {
        'a class that clears the screen': _renamed(f'{ESCAPE}x'),
        'a class of two lines': _renamed('a\nb'),
        'a class that is not UTF-8': _renamed('a\udcff'),
        'a class that is known': _renamed('class00'),
        'a class without clips': lambda path: (path / 'empty').mkdir(),
        'only one clip': lambda path: (path / 'tap dance/0.npz').unlink(),
        'nothing': lambda path: shutil.rmtree(path),
        'vectors of objects': _vectors(npy(_OBJECT, b'N.')),
        'vectors NaN': _vectors(np.full((2, 5), np.nan)),
        'vectors of one class': _vectors(np.zeros((1, 5))),
        'vectors of text': _vectors(np.full((2, 5), 'x')),
        'vectors that are a pipe': _replaced('class_embeddings.npy', os.mkfifo),
        'vectors that are a folder': _replaced('class_embeddings.npy', Path.mkdir),
        'a table of other classes': _table(b'label\ncat\ndog\n'),
        'a table of a class twice': _table(b'label\ntap dance\ntap dance\nblowing glass\n'),
        'a table of NUL': _table(bytes(100)),
        'a table that is not UTF-8': _table(b'label\n\xff\xfe\n'),
        'a table with paths': _table(b'label\n../tap dance\nblowing glass\n'),
        'a table that is a pipe': _replaced('classes.csv', os.mkfifo),
        'a clip that is a pipe': _replaced('tap dance/0.npz', os.mkfifo),
        'a clip that is a folder': _replaced('tap dance/0.npz', Path.mkdir),
        'a clip of text': _replaced('tap dance/0.npz', lambda path: path.write_text('clip')),
        'a clip of NaN': _clip(audio=np.full((2, 6), np.nan), visual=np.zeros((2, 9))),
        'a clip that is infinite as floats': _clip(audio=np.full((2, 6), 1e39), visual=np.zeros((2, 9))),
        'a clip without steps': _clip(audio=np.zeros((0, 6)), visual=np.zeros((2, 9))),
        'a clip of one modality': _clip(audio=np.zeros((2, 6))),
        'a clip of three axes': _clip(audio=np.zeros((1, 2, 6)), visual=np.zeros((2, 9))),
        'a clip of another width': _clip(audio=np.zeros((2, 7)), visual=np.zeros((2, 9))),
        'a clip of objects': _clip(audio=np.array([None], object), visual=np.zeros((2, 9))),
    }
    | {f'vectors whose pickle {key}': _vectors(npy(_OBJECT, data)) for key, data in list(code_pickles().items())[:5]},
)
