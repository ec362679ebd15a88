"""The order of the layers: nothing imports upward, no circle anywhere, few imports inside functions."""

import ast
from functools import cache
from pathlib import Path

from tests.conftest import REPO

# Bottom up. A file may import from its own layer and from those before it; docs/design.md says what each is for.
LAYERS = (
    'utils',
    'protocol',
    'registry',
    'datasets',
    'importers',
    'config',
    'models',
    'checkpoints',
    'evaluation',
    'engine',
    'zoo',
    'avdiff_release',
    'reproduction',
    'apis',
)
PACKAGE = REPO / 'avzoo'


@cache
def modules() -> dict[str, Path]:
    names = {path: '.'.join(path.relative_to(REPO).with_suffix('').parts) for path in PACKAGE.rglob('*.py')}
    return {name.removesuffix('.__init__'): path for path, name in names.items()}


def imports_of(tree: ast.AST) -> set[str]:
    """Return the modules of avzoo that a piece of code imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split('.')[0] == 'avzoo':
            deeper = {f'{node.module}.{alias.name}' for alias in node.names}
            found |= (deeper & modules().keys()) or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in modules()}
    return found


@cache
def graph() -> dict[str, set[str]]:
    return {name: imports_of(ast.parse(path.read_text(encoding='utf-8'))) - {name} for name, path in modules().items()}


def layer_of(module: str) -> str:
    return module.split('.')[1] if '.' in module else ''


def test_every_package_has_its_place():
    assert {layer_of(name) for name in modules()} - {'', 'version'} == set(LAYERS)


def test_nothing_imports_upward():
    upward = [
        (name, target)
        for name, targets in graph().items()
        for target in targets
        if layer_of(name) in LAYERS
        and layer_of(target) in LAYERS
        and LAYERS.index(layer_of(target)) > LAYERS.index(layer_of(name))
    ]
    assert upward == []


def test_no_files_import_each_other_in_a_circle():
    # A package's own files are imported by its __init__, not the other way round.
    left = {name: set(targets) for name, targets in graph().items()}
    while free := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}


def test_the_ground_imports_nothing_heavy():
    heavy = {'torch', 'mmengine', 'timm', 'sklearn', 'scipy'}
    for name, path in modules().items():
        if layer_of(name) in ('', 'utils', 'version'):
            top = ast.parse(path.read_text(encoding='utf-8')).body
            names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module for node in top if isinstance(node, ast.ImportFrom)}
            assert not heavy & {one.split('.')[0] for one in names}, name


def test_the_largest_package_stays_small_enough_to_read():
    sizes = {}
    for name, path in modules().items():
        sizes[layer_of(name)] = sizes.get(layer_of(name), 0) + len(path.read_text(encoding='utf-8').splitlines())
    assert max(sizes.values()) < 2500, sizes
