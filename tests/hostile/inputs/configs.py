"""Config files: data formats must not run code, and broken files are refused."""

import functools
import os
from pathlib import Path
from typing import Any

from avzoo.config.load import load_config
from tests.hostile.corpus import ACCEPTED, Call, Part
from tests.hostile.making import nested, sparse, write_foreign_module
from tests.hostile.material import Material

PART = Part('config file')


def _load(folder: Path, material: Material, content: str | bytes, name: str = 'x.py') -> Call:
    write_foreign_module(folder)
    (folder / 'run.py').write_text("open('ran', 'w').close()\n")
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    return Call(lambda: load_config(path))


def _without(folder: Path, material: Material, line: str) -> Call:
    """Check a whole config with one more line, as a training would."""
    path = folder / 'x.py'
    path.write_text(f'{material.config.read_text()}\n{line}\n')
    return Call('train', [path, '--dry-run', '--work-dir', folder / 'work/run'])


_SECTIONS = (
    'model',
    'train_dataloader',
    'val_dataloader',
    'test_dataloader',
    'optim_wrapper',
    'param_scheduler',
    'curriculum',
    'randomness',
    'default_hooks',
    'data_root',
    'num_shots',
    'method',
)
_NEEDED_SECTIONS = (*_SECTIONS[:5], 'curriculum')
_NEEDED = ('encoders', 'fusion', 'head')
_PARTS = ('encoders', 'embedding', 'fusion', 'projector', 'head', 'generator', 'conditioner')
PART.each(
    functools.partial(_load, name='x.yaml'),
    {
        'yaml: calls a function': '!!python/object/apply:os.system ["touch ran"]',
        'yaml: a value calls a function': 'model: !!python/object/apply:os.system ["touch ran"]',
        'yaml: makes a foreign object': 'model: !!python/object/new:evil_mod.X {}',
        'yaml: names a module': 'model: !!python/module:evil_mod',
        'yaml: names a function': 'model: !!python/name:evil_mod.run',
        'yaml: a base that is Python': '_base_: run.py',
        'yaml: foreign imports': 'custom_imports: {imports: [evil_mod]}',
        'yaml: 10,000 deep': nested(10_000),
    },
)
PART.each(
    functools.partial(_load, name='x.json'),
    {
        'json: a base that is Python': '{"_base_": "run.py"}',
        'json: a base in a list': '{"_base_": ["./run.py"]}',
        'json: a variable of the environment': '{"x": "{{$HOME:}}"}',
        'json: foreign imports': '{"custom_imports": {"imports": ["evil_mod"]}}',
        'json: 100,000 deep': nested(100_000),
    },
)
PART.each(
    _load,
    {
        'python: a syntax error': 'model = (',
        'python: raises': 'raise ValueError("x")',
        'python: raises SystemExit': 'raise SystemExit(0)',
        'python: raises an error of many lines': 'raise ValueError("a\\nb\\n\\x1b[2Jc")',
        'python: exits': 'import sys\nsys.exit(3)',
        'python: recurses': 'def f():\n    return f()\nf()',
        'python: is its own base': "_base_ = 'x.py'",
        'python: a missing base': "_base_ = 'none.py'",
        'python: a base of the network': "_base_ = 'http://127.0.0.1:9/x.py'",
        'python: a base that is a number': '_base_ = 5',
        'python: a base of an unknown scope': "_base_ = 'evil_mod::x.py'",
        'python: a base that is computed': "_base_ = 'x.y' + 'aml'",
        'python: a base of two names': "_base_ = x = ['./other.yaml']",
        'python: a base of a package that is yaml': "_base_ = 'avzoo::avdiff/x.yaml'",
        'python: a base of the zoo that leads out': "_base_ = 'avzoo::avdiff/../../../../x.py'",
        'python: empty': '',
        'python: a reserved key': 'filename = 1',
        'python: NUL bytes': bytes(100),
        'python: not UTF-8': b'x = "\xff"',
        'python: 100,000 brackets': f'x = {nested(100_000)}',
        'python: 90 brackets': f'x = {nested(90)}',
        'python: an undefined base variable': "x = '{{_base_.nothing}}'",
        'python: failing imports': "custom_imports = dict(imports=['not_there'], allow_failed_imports=False)",
        'python: imports of another kind': 'custom_imports = 5',
    },
)
PART.each(
    lambda folder, material, name: _load(folder, material, 'x = 1', name),
    {f'named {name}': name for name in ('x.txt', 'x', 'x.toml', 'x.PY', 'x y.py', 'x.pth', 'x.py.bak')},
)
PART.each(_without, {f'without {name}': f'del {name}' for name in _NEEDED_SECTIONS}, prefix='python: ')
# What need not be there: a schedule of the learning rate, and the dict that `_delete_` would replace.
PART.add('python: without param_scheduler', functools.partial(_without, line='del param_scheduler'), ACCEPTED)
PART.add(
    'python: a leftover _delete_', functools.partial(_without, line="model['fusion']['_delete_'] = True"), ACCEPTED
)
PART.each(
    _without, {f'{name} is a number': f'{name} = 5' for name in _SECTIONS if name != 'num_shots'}, prefix='python: '
)
PART.each(_without, {f'without model.{name}': f"del model['{name}']" for name in _NEEDED}, prefix='python: ')
PART.each(_without, {f'model.{name} is text': f"model['{name}'] = 'x'" for name in _PARTS}, prefix='python: ')
PART.each(
    _without,
    {
        'a type that is a number': "model['fusion']['type'] = 5",
        'a type that is None': "model['fusion']['type'] = None",
        'a type that is a function': "model['fusion']['type'] = print",
        'a type that is a module': "import os\nmodel['fusion']['type'] = 'os'",
        'a part without type': "del model['fusion']['type']",
        'a key that is a number': "model['fusion'][3] = 4",
        'an init_cfg of a URL': "model['fusion']['init_cfg'] = dict(type='Pretrained', checkpoint='http://127.0.0.1:9/')",
        'weights of a foreign file': "model['init_cfg'] = dict(type='Pretrained', checkpoint='none.pth')",
        'a foreign runner': "runner_type = 'evil_mod.X'",
        'a cyclic section': "model['fusion']['dropout'] = model",
        'a width of 2**62': "model['fusion']['mlp_dim'] = 2**62",
        'a depth of 1e9': "model['fusion']['depth'] = 10**9",
    },
    prefix='python: ',
)


def _odd_file(folder: Path, material: Material, make: Any) -> Call:
    make(folder / 'x.py')
    return Call(lambda: load_config(folder / 'x.py'))


PART.each(
    _odd_file,
    {
        'a folder': Path.mkdir,
        'a pipe': os.mkfifo,
        'a link to itself': lambda path: path.symlink_to(path),
        'a link to a device': lambda path: path.symlink_to('/dev/zero'),
        '16 GB of zeros': lambda path: sparse(path, 1 << 34),
    },
)
