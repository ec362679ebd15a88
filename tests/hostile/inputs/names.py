"""Names and paths on the command line."""

import os
from pathlib import Path
from typing import Any

from tests.hostile.corpus import EITHER, Call, Part
from tests.hostile.making import ESCAPE
from tests.hostile.material import Material

PART = Part('names and paths')


def _odd_path(folder: Path, kind: str) -> Any:
    """Return a path of that kind."""
    path = folder / 'odd'
    if kind == 'a folder':
        path.mkdir()
    elif kind == 'a pipe':
        os.mkfifo(path)
    elif kind == 'a circle of links':
        path.symlink_to(folder / 'odd2')
        (folder / 'odd2').symlink_to(path)
    elif kind == 'a dangling link':
        path.symlink_to(folder / 'nothing')
    elif kind == 'below a file':
        path.write_text('file')
        path = path / 'x'
    return path


_TEXTS = {
    'empty': '',
    'of 300 characters': 'a' * 300,
    'of 5,000 characters': 'a/' * 2500,
    'with an escape sequence': f'{ESCAPE}x',
    'of two lines': 'a\nerror: b',
    'that reverses the text': 'a\u202eb',
    'that is not UTF-8': 'a\udcffb',
    'that leads out': '../' * 40 + 'x',
    'a device': '/dev/null',
    'an endless device': '/dev/zero',
    'like a URL': 'http://127.0.0.1:9/x',
    'like a file URL': 'file:///etc/hostname',
    'like a scope': 'evil_mod::x.py',
    'with NUL': 'a\0b',
}
_KINDS = ('a folder', 'a pipe', 'a circle of links', 'a dangling link', 'below a file')


def _each(name: str, suffix: str, call: Any, expected: str = 'refused', leave_out: tuple[str, ...] = ()) -> None:
    """Add an argument in every form; call takes folder, material and the argument."""
    texts = {key: text + (suffix if text and not text.startswith('/dev') else '') for key, text in _TEXTS.items()}
    for key, text in texts.items():
        if key not in leave_out:
            PART.add(f'{name} {key}', lambda folder, material, text=text: call(folder, material, text), expected)
    for kind in _KINDS:
        if kind not in leave_out:
            PART.add(
                f'{name} that is {kind}',
                lambda folder, material, kind=kind: call(folder, material, _odd_path(folder, kind)),
                expected,
            )


def _config(folder: Path, material: Material, value: Any) -> Call:
    return Call('analysis_tools/get_flops', ['--data-root', material.store, '--', value])


def _checkpoint(folder: Path, material: Material, value: Any) -> Call:
    return Call('predict', [material.config, value, '--features', material.clip])


def _features(folder: Path, material: Material, value: Any) -> Call:
    return Call('predict', [material.config, material.checkpoint, '--device', 'cpu', '--features', value])


def _support(folder: Path, material: Material, value: Any) -> Call:
    return Call(
        'adapt',
        [material.config, material.checkpoint, '--shots', 2, '--support', value, '--base-store', material.store],
    )


def _out(folder: Path, material: Material, value: Any) -> Call:
    return Call('model_converters/publish_model', [material.checkpoint, value])


def _store_out(folder: Path, material: Material, value: Any) -> Call:
    arguments = ['--features', material.lists / 'features.npz', '--class-embeddings', material.lists / 'vectors.npy']
    return Call('dataset_converters/features', [*arguments, '--lists', material.lists, '--shots', 1, '--', value])


def _lists(folder: Path, material: Material, value: Any) -> Call:
    return Call('dataset_converters/splits', ['--shots', 1, '--', value, folder / 'work/out'])


def _model(folder: Path, material: Material, value: Any) -> Call:
    return Call('download', ['--', value])


def _video(folder: Path, material: Material, value: Any) -> Call:
    arguments = [material.config, material.checkpoint, '--device', 'cpu', '--features', material.store]
    return Call('predict', [*arguments, '--video-id', value])


def _device(folder: Path, material: Material, value: str) -> Call:
    return Call('predict', [material.config, material.checkpoint, '--features', material.clip, '--device', value])


_each('a config', '', _config)
_each('a checkpoint', '.pth', _checkpoint)
_each('features', '.npz', _features)
_each('a support', '', _support, leave_out=('a device',))
_each('a store', '', _lists)
_each('a model', '', _model)
_each('a file to publish', '.safetensors', _out, EITHER, leave_out=('that leads out',))
_each('a store to write', '', _store_out, EITHER, leave_out=('that leads out',))
PART.each(_video, {f'a video {key}': text for key, text in _TEXTS.items() if text})
PART.each(
    _device,
    {f'the device {value}': value for value in ('meta', 'cuda:99', 'x', 'cpu:-1', 'cpu cpu', f'{ESCAPE}')},
)
PART.each(
    lambda folder, material, name: Call(
        'model_converters/publish_model', [material.checkpoint, folder / 'work/out', '--name', name]
    ),
    {
        'leads out': '../../x',
        'is empty': '',
        'is absolute': '/x',
        'clears the screen': f'{ESCAPE}x',
        'breaks the line': 'a\nb',
    },
    prefix='a published name that ',
)
