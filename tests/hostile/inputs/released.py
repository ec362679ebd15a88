"""What the authors of AV-DIFF release: class files, settings and run folders."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
import yaml

from avzoo.avdiff_release.class_files import read_class
from tests.avdiff_release.conftest import ARGS, released_checkpoint
from tests.hostile.corpus import Call, Part
from tests.hostile.making import code_pickles, nested, sparse, write_foreign_module, write_torch_zip
from tests.hostile.material import Material

PART = Part('files of the authors')


def _class_file(folder: Path, material: Material, content: Any) -> Call:
    write_foreign_module(folder)
    path = folder / 'x.pkl'
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return Call(lambda: read_class(path))


def _import(source: Path, folder: Path) -> Call:
    return Call('model_converters/avdiff_official', [source, folder / 'work/out', '--stage', 2, '--shots', 5])


def _run(folder: Path, content: Any = None, settings: Any = None) -> Path:
    write_foreign_module(folder)
    run = folder / 'run'
    run.mkdir(exist_ok=True)
    if isinstance(content, bytes):
        (run / 'AVDiff_score.pt').write_bytes(content)
    else:
        torch.save(released_checkpoint() if content is None else content, run / 'AVDiff_score.pt')
    settings = yaml.safe_dump(ARGS) if settings is None else settings
    (run / 'args.yaml').write_bytes(settings if isinstance(settings, bytes) else settings.encode())
    return run


def _settings(folder: Path, material: Material, text: str | bytes) -> Call:
    return _import(_run(folder, settings=text), folder)


def _setting(folder: Path, material: Material, change: dict[str, Any]) -> Call:
    return _settings(folder, material, yaml.safe_dump(ARGS | change))


def _weights(folder: Path, material: Material, content: Any) -> Call:
    return _import(_run(folder, content), folder)


def _state(folder: Path, material: Material, change: Any) -> Call:
    content = released_checkpoint()
    name = next(name for name, value in content['model'].items() if value.dim() == 2)
    content['model'][name] = change(content['model'][name])
    return _import(_run(folder, content), folder)


def _pickled(folder: Path, material: Material, data: bytes) -> Call:
    run = _run(folder)
    write_torch_zip(run / 'AVDiff_score.pt', released_checkpoint(), data)
    return _import(run, folder)


def _args_pickle(folder: Path, material: Material) -> Call:
    """The authors' args.pkl, with code: it is never opened."""
    run = _run(folder, settings=yaml.safe_dump(ARGS | dict(transformer_depth=9)))
    (run / 'args.pkl').write_bytes(code_pickles()['calls os.system'])
    return _import(run, folder)


def _archive(folder: Path, material: Material, name: str) -> Call:
    run = _run(folder)
    with zipfile.ZipFile(folder / 'models.zip', 'w') as file:
        for path in run.iterdir():
            file.write(path, f'models/run/{path.name}')
        info = zipfile.ZipInfo('x')
        info.filename = info.orig_filename = name
        file.writestr(info, 'text')
    return _import(folder / 'models.zip', folder)


def _odd_run(folder: Path, material: Material, change: tuple[str, Any]) -> Call:
    run = _run(folder)
    name, make = change
    (run / name).unlink()
    make(run / name)
    return _import(run, folder)


_DEEP = b'\x80\x02' + b']' * 100_000 + b'a' * 99_999 + b'.'
PART.each(_class_file, code_pickles(), prefix='a class file that ')
PART.each(
    _class_file,
    {
        'a list': [1],
        'nothing': None,
        'other keys': dict(x=1),
        'features of another kind': dict(features=3, video_names=['a']),
        'fewer names': dict(features=[[1.0]], video_names=[]),
        'a name twice': dict(features=[[1.0], [2.0]], video_names=['a', 'a']),
        'empty': b'',
        'text': b'not a pickle',
        'cut': pickle.dumps(dict(features=[[1.0]], video_names=['a']))[:-4],
        '100,000 deep': _DEEP,
        'bytes of 2**40': b'\x80\x04\x8e' + (1 << 40).to_bytes(8, 'little') + b'x.',
        'an array of 2**40 numbers': b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1099511627776\n'
        b'tVb\ntR.',
        'a type that is a call': b"cnumpy\ndtype\n(V__import__('os').system('touch ran')\ntR.",
    },
    prefix='a class file: ',
)
PART.each(
    _settings,
    {
        'a python tag': '!!python/object/apply:os.system ["touch ran"]',
        'a python object': 'seed: !!python/object/new:evil_mod.X {}',
        '10,000 deep': nested(10_000),
        'a list': '[1]',
        'not UTF-8': b'seed: \xff',
        'a number of 10,000 digits': 'seed: ' + '9' * 10_000,
        'empty': '',
        'an alias of itself': 'seed: &a [*a]',
        '16 MB': '#' * (1 << 24),
    },
    prefix='args.yaml: ',
)
PART.each(
    _setting,
    {
        'a depth of 1e9': dict(transformer_depth=10**9),
        'a negative width': dict(transformer_dim=-1),
        'a width of 2**62': dict(transformer_dim=2**62),
        'a rate that is NaN': dict(lr=float('nan')),
        'a seed that is text': dict(seed='x'),
        'another data set': dict(dataset_name='../../x'),
        'shots that clear the screen': dict(zero_shot_split='\x1b[2J'),
    },
    prefix='args.yaml: ',
)
PART.each(_pickled, code_pickles(), prefix='a model whose pickle ')
PART.each(
    _weights,
    {
        'a list': [1],
        'no model': dict(epoch=1),
        'a model that is a list': dict(epoch=1, model=[1]),
        'names that are numbers': dict(epoch=1, model={1: torch.zeros(1)}),
        'an epoch that is text': dict(released_checkpoint(), epoch='x'),
        'a negative epoch': dict(released_checkpoint(), epoch=-3),
        'text': b'not a model',
        'empty': b'',
    },
    prefix='a model: ',
)
PART.each(
    _state,
    {
        'NaN': lambda value: value * float('nan'),
        'of doubles': lambda value: value.double(),
        'sparse': lambda value: value.to_sparse(),
        'expanded to 2**40 numbers': lambda value: torch.zeros(1).expand(1 << 20, 1 << 20),
        'without axes': lambda value: value.sum(),
        'text': lambda value: 'x',
        'meta': lambda value: value.to('meta'),
    },
    prefix='a weight: ',
)
PART.each(
    _archive,
    {'leads out': '../../x', 'clears the screen': '\x1b[2J', 'is absolute': '/etc/x'},
    prefix='an archive with a name that ',
)
PART.each(
    _odd_run,
    {
        'settings that are a pipe': ('args.yaml', os.mkfifo),
        'settings that are a folder': ('args.yaml', Path.mkdir),
        'settings of 8 GB': ('args.yaml', lambda path: sparse(path, 1 << 33)),
        'a model that is a pipe': ('AVDiff_score.pt', os.mkfifo),
        'a model of 32 GB of zeros': ('AVDiff_score.pt', lambda path: sparse(path, 1 << 35)),
        'a model that links to itself': ('AVDiff_score.pt', lambda path: path.symlink_to(path)),
    },
)
PART.add('code in args.pkl', _args_pickle)
