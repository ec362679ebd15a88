"""What a checkpoint says of itself: names, widths, and the config that it carries."""

import functools
from pathlib import Path
from typing import Any

from tests.hostile.corpus import ACCEPTED, EITHER, Call, Part
from tests.hostile.making import ESCAPE, changed, cyclic, write_checkpoint, write_foreign_module
from tests.hostile.material import CLASSES, Material

PART = Part('meta of a checkpoint')


def _write(folder: Path, material: Material, path: str, value: Any) -> Path:
    write_foreign_module(folder)
    content = material.content()
    content['meta'] = changed(content['meta'], path, value)
    return write_checkpoint(folder / 'x.pth', content)


def _predict(path: str, folder: Path, material: Material, value: Any) -> Call:
    file = _write(folder, material, path, value)
    return Call('predict', [material.config, file, '--features', material.clip, '--top', 11, '--device', 'cpu'])


def _publish(path: str, folder: Path, material: Material, value: Any) -> Call:
    return Call(
        'model_converters/publish_model', [_write(folder, material, path, value), folder / 'work/x.safetensors']
    )


def _test(path: str, folder: Path, material: Material, value: Any) -> Call:
    file = _write(folder, material, path, value)
    return Call('test', [material.config, file, '--work-dir', folder / 'work/test'])


def _adapt(path: str, folder: Path, material: Material, value: Any) -> Call:
    file = _write(folder, material, path, value)
    options = ['--shots', 2, '--base-store', material.store, '--out', folder / 'work/out.pth']
    return Call('adapt', [material.config, file, '--support', material.support, *options])


def _each(tool: Any, path: str, values: dict[str, Any], expected: str = 'refused') -> None:
    PART.each(functools.partial(tool, path), values, expected, prefix=f'{tool.__name__[1:]}: {path} ')


def _renamed(name: Any) -> list[Any]:
    return [name, *CLASSES[1:]]


_each(
    _predict,
    'classes',
    {
        'clears the screen': _renamed(f'{ESCAPE}dog'),
        'breaks the line': _renamed('dog\nerror: cat'),
        'rings the bell': _renamed('dog\x07'),
        'holds NUL': _renamed('dog\0'),
        'holds half of a pair': _renamed('dog\ud800'),
        'is empty': _renamed(''),
        'has white space around it': _renamed(' dog '),
        'comes twice': _renamed(CLASSES[1]),
        'is None': _renamed(None),
        'is a number': _renamed(3),
        'is a list': _renamed(['dog']),
        'are fewer': CLASSES[:5],
        'are a text': 'abcdefghijk',
    },
)
_each(_predict, 'classes', {'is a table row': _renamed('a | b'), 'is HTML': _renamed('<script>x</script>')}, ACCEPTED)
_each(_predict, 'classes', {'reverses the text': _renamed('dog\u202egnp.exe')}, EITHER)
_each(
    _predict,
    'base_mask',
    {'is of text': ['yes'] * 11, 'is shorter': [True], 'is of numbers': [1] * 11, 'is None': None},
)
_each(_adapt, 'base_mask', {'names no base class': [False] * 11, 'is of text': ['no'] * 11})
_each(
    _predict,
    'data_info',
    {
        'is a list': [1],
        'is empty': {},
        'is None': None,
    },
)
_each(
    _predict,
    'data_info.embedding_dim',
    {'is 3e7': 30_000_000, 'is 2**62': 2**62, 'is -1': -1, 'is 0': 0, 'is text': '5'},
)
_each(_predict, 'data_info.num_classes', {'is 1e9': 10**9, 'is 0': 0, 'is negative': -3, 'is true': True})
_each(
    _predict,
    'data_info.feature_dims',
    {
        'is 1e9 wide': dict(audio=10**9, visual=9),
        'is 0 wide': dict(audio=0, visual=9),
        'lacks a modality': dict(audio=6),
        'is a text': 'wide',
    },
)
_each(_predict, 'data_info.feature_dims', {'names another modality': dict(audio=6, visual=9, smell=4)}, EITHER)
_each(
    _predict,
    'data_info.seconds_per_step',
    {'is 0': dict(audio=0.0, visual=0.64), 'is NaN': dict(audio=float('nan'), visual=0.64)},
)

_TYPES = {
    'is a foreign class': 'evil_mod.X',
    'is a dotted name of the library': 'lib2to3.__main__.X',
    'is of another scope': 'evil_mod::X',
    'is of the scope of mmengine': 'mmengine::BaseModel',
    'is a number': 3,
    'is None': None,
    'is a list': ['evil_mod.X'],
    'clears the screen': f'{ESCAPE}X',
}
_each(_predict, 'config.model.fusion.type', _TYPES)
_each(_publish, 'config.model.head.type', _TYPES)
_each(_test, 'config.model.encoders.audio.type', _TYPES)
_each(
    _predict,
    'config.model.fusion',
    {'is a list': [1], 'is text': 'x', 'is None': None, 'has keys of numbers': {'type': 'AVDiffFusion', 3: 4}},
)
_each(_predict, 'config.model', {'is a list': [1], 'is cyclic': cyclic(), 'is empty': {}})
_each(_predict, 'config', {'is text': 'import evil_mod', 'is a list': [1]})
_each(
    _publish,
    'config',
    {'is cyclic': cyclic(), 'has a dict as key': {('a', 'b'): 1}},
)
_each(
    _publish,
    'config.custom_imports',
    {'names a foreign module': dict(imports=['evil_mod'], allow_failed_imports=False)},
    ACCEPTED,
)
_each(
    _predict,
    'config.custom_imports',
    {'names a foreign module': dict(imports=['evil_mod'], allow_failed_imports=False)},
    ACCEPTED,
)
_each(_predict, 'choices', {'is text': 'x', 'is a list of text': ['x'], 'was not offered': [dict(chosen={'a': 1})]})
_each(_adapt, 'outcomes', {'is text': 'x', 'is of text': dict(stage1_full='x')})
_each(
    _adapt,
    'outcomes.stage1_full',
    {
        'chose text': dict(best_epoch='one'),
        'chose -1 epochs': dict(best_epoch=-1),
        'chose 1e18 epochs': dict(best_epoch=10**18),
    },
)
_each(_test, 'splits', {'is text': 'x', 'names others': dict(stage2_base='0' * 64)})
_each(_test, 'num_shots', {'is text': '2', 'is 1e9': 10**9, 'is -1': -1, 'is true': True})
_each(_test, 'stage', {'is 3': 3, 'is None': None})
_each(_test, 'draw', {'is 99': 99, 'is -1': -1})
