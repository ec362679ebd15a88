"""The index of a zoo from elsewhere: ``model-index.yml``, its metafiles, and the addresses in them."""

from pathlib import Path
from typing import Any

import yaml

from avzoo.zoo import index
from avzoo.zoo.index import read_index
from avzoo.zoo.weights import find_zoo_weights
from tests.hostile.child import SECRET
from tests.hostile.corpus import Call, Part
from tests.hostile.making import ESCAPE, nested, write_foreign_module
from tests.hostile.material import Material

PART = Part('model index and metafiles')
_MODEL: dict[str, Any] = {
    'Name': 'tiny_custom_5shot',
    'Config': 'configs/tiny/tiny_custom_5shot.py',
    'In Collection': 'Tiny',
    'Metadata': dict(Shots=5, Features='random numbers'),
    'Results': [dict(Task='classification', Dataset='custom')],
}
_BOMB = 'a: &a [x,x,x,x,x,x,x,x,x]\n' + ''.join(
    f'{b}: &{b} [{",".join([f"*{a}"] * 9)}]\n' for a, b in zip('abcdefghij', 'bcdefghijk', strict=True)
)
_CODE = {
    'a python tag': '!!python/object/apply:os.system ["touch ran"]',
    'a python module': '!!python/module:evil_mod',
    'a python name': 'Import: !!python/name:evil_mod.X',
    'a new python object': '!!python/object/new:evil_mod.X {}',
    'a billion laughs': _BOMB + 'Import: *k\n',
    '10,000 deep': f'Import: {nested(10_000)}',
    'an alias of itself': 'Import: &a [*a]',
    'an undefined alias': 'Import: *a',
    'a list': '[1, 2]',
    'text': 'just text',
    'nothing': '',
    'not YAML': 'Import: [}',
    'two documents': 'Import: []\n---\nImport: []\n',
    'a date that is none': 'Import: 2024-99-99',
    'a number of 10,000 digits': 'Import: ' + '9' * 10_000,
    'not UTF-8': b'Import: \xff\xfe',
    'control characters': b'Import: ["\x1b[2J"]',
}


def _write(folder: Path, *, imports: Any = None, metafile: Any = None) -> Path:
    root = folder / 'zoo'
    (root / 'configs/tiny').mkdir(parents=True)
    imports = imports or dict(Import=['configs/tiny/metafile.yml'])
    metafile = metafile or dict(Collections=[dict(Name='Tiny')], Models=[_MODEL])
    for path, content in ((root / 'model-index.yml', imports), (root / 'configs/tiny/metafile.yml', metafile)):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True))
    return root


def _read(root: Path) -> Call:
    return Call(lambda: read_index(root))


def _index_text(folder: Path, material: Material, text: str) -> Call:
    write_foreign_module(folder)
    return _read(_write(folder, imports=text or ' '))


def _metafile_text(folder: Path, material: Material, text: str) -> Call:
    """The text in place of the models, below a right head."""
    write_foreign_module(folder)
    text = text if isinstance(text, bytes) else text.encode()
    return _read(_write(folder, metafile=b'Collections: [{Name: Tiny}]\n' + text.replace(b'Import', b'Models')))


def _imports(folder: Path, material: Material, value: Any) -> Call:
    (folder / 'outside.yml').write_text('Models: []\n')
    return _read(_write(folder, imports=dict(Import=value)))


def _metafile(folder: Path, material: Material, value: Any) -> Call:
    return _read(_write(folder, metafile=value))


def _model(folder: Path, material: Material, change: Any) -> Call:
    model = {key: value for key, value in (_MODEL | change).items() if value is not KeyError}
    return _read(_write(folder, metafile=dict(Collections=[dict(Name='Tiny')], Models=[model])))


def _weights(folder: Path, material: Material, change: Any) -> Call:
    """Ask for the weights of a model, as ``get_model`` does."""
    (folder / SECRET).write_text('secret')
    change = {key: value.format(folder=folder) if isinstance(value, str) else value for key, value in change.items()}
    metafile = dict(Collections=[dict(Name='Tiny')], Models=[_MODEL | change])
    root = _write(folder, metafile=metafile)

    def find() -> None:
        index.zoo_root = lambda: root
        find_zoo_weights(change.get('Name', 'tiny_custom_5shot'))

    return Call(find)


PART.each(_index_text, _CODE, prefix='index: ')
PART.each(_metafile_text, {key: text for key, text in _CODE.items() if 'Import' in str(text)}, prefix='metafile: ')
PART.each(
    _imports,
    {
        'a number': 5,
        'text': 'configs/tiny/metafile.yml',
        'a list of numbers': [5],
        'a list of lists': [['configs/tiny/metafile.yml']],
        'a dict': dict(a=1),
        'a path that leads out': ['../outside.yml'],
        'an absolute path': ['/etc/hostname'],
        'a device': ['/dev/zero'],
        'a folder': ['configs'],
        'a missing file': ['configs/none/metafile.yml'],
        'NUL': ['configs/\0'],
        'a file twice': ['configs/tiny/metafile.yml'] * 2,
    },
    prefix='index: Import is ',
)
PART.each(
    _metafile,
    {
        'Models are a number': dict(Collections=[dict(Name='Tiny')], Models=5),
        'Models are a dict': dict(Collections=[dict(Name='Tiny')], Models=dict(a=1)),
        'Models are text': dict(Collections=[dict(Name='Tiny')], Models='x'),
        'a model is a number': dict(Collections=[dict(Name='Tiny')], Models=[5]),
        'Collections are a number': dict(Collections=5, Models=[_MODEL]),
        'a collection is text': dict(Collections=['Tiny'], Models=[_MODEL]),
        'a collection without a name': dict(Collections=[dict(README='x')], Models=[_MODEL]),
        'a model twice': dict(Collections=[dict(Name='Tiny')], Models=[_MODEL, _MODEL]),
    },
    prefix='metafile: ',
)
PART.each(
    _model,
    {f'without {key}': {key: KeyError} for key in ('Name', 'Config', 'Metadata', 'Results')}
    | {
        'Name is a number': dict(Name=5),
        'Name leads out': dict(Name='../../x'),
        'Name is empty': dict(Name=''),
        'Name clears the screen': dict(Name=f'{ESCAPE}x'),
        'Name breaks the line': dict(Name='a\nb'),
        'Config is a number': dict(Config=5),
        'Config leads out': dict(Config='../../x.py'),
        'Config is absolute': dict(Config='/etc/x.py'),
        'Metadata is a list': dict(Metadata=[1]),
        'Shots are text': dict(Metadata=dict(Shots='five', Features='x')),
        'Shots are infinite': dict(Metadata=dict(Shots=float('inf'), Features='x')),
        'Results are a number': dict(Results=3),
        'Results are empty': dict(Results=[]),
        'Weights are a number': dict(Weights=5),
        'Mirrors are a number': dict(Mirrors=5),
        'Size is text': dict(Size='large', Weights='w.safetensors'),
        'SHA256 is a number': dict(SHA256=5, Weights='w.safetensors'),
        'Converted From is text': {'Converted From': 'x'},
    },
    prefix='model: ',
)
PART.each(
    _weights,
    {
        'a local file by URL': dict(Weights=f'file://{{folder}}/{SECRET}'),
        'a local file by URL and a host': dict(Weights=f'file://localhost{{folder}}/{SECRET}'),
        'a path that leads out': dict(Weights=f'../{SECRET}'),
        'an absolute path': dict(Weights=f'{{folder}}/{SECRET}'),
        'ftp': dict(Weights='ftp://127.0.0.1:9/x'),
        'data': dict(Weights='data://x,AAAA'),
        'a device': dict(Weights='/dev/zero'),
        'a URL with a line break': dict(Weights='http://127.0.0.1:9/x\r\nX: y'),
        'a URL without a host': dict(Weights='http://'),
        'a URL with an impossible port': dict(Weights='http://127.0.0.1:999999/x'),
        'a URL with an escape sequence': dict(Weights='odd://\x1b[2J'),
        'NUL': dict(Weights='a\0b'),
    },
    prefix='weights: ',
)
