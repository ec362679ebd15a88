"""The folder of a run: its state, references and predictions."""

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.evaluation.predictions import read_predictions
from avzoo.utils.regular_files import read_kept
from avzoo.zoo.publish import stage_one_outcomes
from tests.hostile.corpus import EITHER, Call, Part
from tests.hostile.making import changed, code_pickles, nested, npy, sparse, write_foreign_module, write_json
from tests.hostile.material import Material

PART = Part('work directory')
_OBJECT = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"


def _copy(folder: Path, material: Material) -> Path:
    return Path(shutil.copytree(material.work_dir, folder / 'work/run'))


def _resume(folder: Path, material: Material) -> Call:
    return Call('train', [material.config, '--work-dir', folder / 'work/run', '--resume'])


def _test(folder: Path, material: Material) -> Call:
    return Call('test', [material.config, folder / 'work/run', '--work-dir', folder / 'work/test'])


def _state(folder: Path, material: Material, content: Any) -> Call:
    path = _copy(folder, material) / 'curriculum.json'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write_json(path, content)
    return _resume(folder, material)


def _entry(folder: Path, material: Material, change: tuple[str, Any]) -> Call:
    content = json.loads((material.work_dir / 'curriculum.json').read_text())
    return _state(folder, material, changed(content, *change))


def _tested(folder: Path, material: Material, phases: Any) -> Call:
    content = json.loads((material.work_dir / 'curriculum.json').read_text())
    write_json(_copy(folder, material) / 'curriculum.json', dict(content, phases=phases))
    return _test(folder, material)


def _predictions(folder: Path, material: Material, content: Any) -> Call:
    write_foreign_module(folder)
    path = folder / 'predictions.npz'
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif callable(content):
        content(path)
    else:
        np.savez(path, **content)
    return Call(lambda: read_predictions(path))


def _pickled(folder: Path, material: Material, data: bytes) -> Call:
    write_foreign_module(folder)
    with zipfile.ZipFile(folder / 'x.npz', 'w') as file:
        file.writestr('video_id.npy', npy(_OBJECT, data))
    return Call(lambda: read_predictions(folder / 'x.npz'))


def _outcomes(folder: Path, material: Material, content: Any) -> Call:
    """Publishing reads what stage 1 chose from the work directory of the checkpoint."""
    path = write_json(_copy(folder, material) / 'curriculum.json', content)
    return Call(lambda: stage_one_outcomes(path.parent / 'stage2_full_draw0/last.pth'))


def _odd_file(folder: Path, material: Material, make: Any) -> Call:
    path = _copy(folder, material) / 'curriculum.json'
    path.unlink()
    make(path)
    return _resume(folder, material)


_JSON = {
    'empty': '',
    'not JSON': 'phases: none',
    'a list': [],
    'a number': 3,
    'null': 'null',
    '100,000 deep': nested(100_000),
    '100,000 dicts deep': nested(100_000, '{'),
    'a number of 10,000 digits': '{"phases":' + '9' * 10_000 + '}',
}
PART.each(_state, _JSON | {'not UTF-8': b'\xff\xfe{}', 'NUL bytes': bytes(4000)}, prefix='curriculum.json: ')
PART.each(
    _entry,
    {
        'phases null': ('phases', None),
        'phases a list': ('phases', ['stage1_base']),
        'an unknown phase': ('phases', {'../../x': {}}),
        'a phase that is null': ('phases', {'stage1_base': None}),
        'a phase that is a list': ('phases', {'stage1_base': [1]}),
        'a phase of a draw of 5,000 digits': ('phases', {f'stage2_full_draw{"9" * 5000}': {}}),
        'tests null': ('tests', None),
        'a test that is text': ('tests', {'0': 'x'}),
        'a digest that is a number': ('store_sha256', 5),
        'processes that are text': ('processes', '1'),
        'other processes': ('processes', 7),
        'settings null': ('settings', None),
        'settings of another kind': ('settings', [1]),
        'other settings': ('settings.num_shots', 5),
        'settings 300 deep': ('settings.model', json.loads(nested(300))),
        'choices of another kind': ('choices', 5),
        'choices without what was chosen': ('choices', [{}]),
        'choices of text': ('choices', ['x']),
    },
    prefix='curriculum.json: ',
)
PART.each(
    _tested,
    {
        'no phases': {},
        'phases without checkpoints': {'stage2_full_draw7': {}},
        'a phase that leads out': {'stage2_full_draw0/../..': {}},
    },
    prefix='test: ',
)
PART.each(
    _outcomes,
    _JSON | {'phases null': dict(phases=None), 'phases a list': dict(phases=[1])},
    EITHER,
    prefix='outcomes: ',
)
PART.each(_pickled, dict(list(code_pickles().items())[:6]), prefix='predictions: a pickle that ')
PART.each(
    _predictions,
    {
        'empty': b'',
        'text': b'not predictions',
        'no arrays': {},
        'a pipe': os.mkfifo,
        'a folder': Path.mkdir,
        'a link to itself': lambda path: path.symlink_to(path),
        '8 GB of zeros': lambda path: sparse(path, 1 << 33),
        'a .npy': npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", bytes(16)),
        'a .npy of 2**62 numbers': npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,), }"),
        'a pickle': code_pickles()['calls os.system'],
    },
    prefix='predictions: ',
)
PART.each(
    _odd_file,
    {
        'a pipe': os.mkfifo,
        'a folder': Path.mkdir,
        'a link to itself': lambda path: path.symlink_to(path),
        '8 GB of zeros': lambda path: sparse(path, 1 << 33, b'{'),
    },
    prefix='curriculum.json: ',
)


def _references(folder: Path, material: Material, content: Any) -> Call:
    """A damaged file of references is computed again."""
    write_json(folder / 'references.json', content)

    def read() -> None:
        read_kept(folder / 'references.json').get('key')

    return Call(read)


PART.each(_references, _JSON, EITHER, prefix='references.json: ')
