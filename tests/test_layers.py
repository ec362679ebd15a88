"""The order of the layers: nothing imports upward, no circle anywhere, few imports inside functions."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.conftest import REPO

# Bottom up. A file may import from its own layer and from those before it; docs/design.md says what each is for.
LAYERS = (
    'utils',
    'readers',
    'protocol',
    'registry',
    'datasets',
    'text',
    'importers',
    'config',
    'models',
    'checkpoints',
    'evaluation',
    'engine',
    'zoo',
    'extraction',
    'avdiff_release',
    'reproduction',
    'report',
    'apis',
    'speed',
    'demo',
    '__main__',
)
PACKAGE = REPO / 'avzoo'
# The only imports of avzoo inside functions, and the only ones that the import statement does not show. mmengine's hub
# looks for a function of the highest layer in `avzoo.utils`; `avzoo` looks its public names up when they are used.
OF_AVZOO_IN_FUNCTIONS = {
    ('avzoo.zoo.weights', 'avzoo.checkpoints.training'),
    ('avzoo.models.kernels.fused_chain', 'avzoo.models.kernels.chain_kernels'),
}
BY_TEXT = {('avzoo.utils', 'avzoo.apis.register'), ('avzoo', '_LAZY[name]')}
QUICK_OF_THE_ZOO = [f'avzoo.zoo.{name}' for name in ('index', 'benchmarks', 'listing', 'weights')]


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
def trees() -> dict[str, ast.Module]:
    return {name: ast.parse(path.read_text(encoding='utf-8')) for name, path in modules().items()}


@cache
def graph() -> dict[str, set[str]]:
    return {name: imports_of(tree) - {name} for name, tree in trees().items()}


def imports_in_functions(name: str) -> list[list[ast.stmt]]:
    """Return the imports inside a module's functions; those on neighbouring lines form one block."""
    functions = [node for node in ast.walk(trees()[name]) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    imports = {n.lineno: n for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)}
    blocks: list[list[ast.stmt]] = []
    for _, node in sorted(imports.items()):
        if blocks and node.lineno == blocks[-1][-1].end_lineno + 1:
            blocks[-1].append(node)
        else:
            blocks.append([node])
    return blocks


def has_comment(lines: list[str], block: list[ast.stmt]) -> bool:
    """Return whether a comment stands above a block of imports or at the end of each of its lines."""
    first, last = block[0].lineno, block[-1].end_lineno
    above = lines[first - 2]  # The line above may be a `try:` with the reason.
    return '  # ' in above or above.lstrip().startswith('# ') or all('  # ' in x for x in lines[first - 1 : last])


def layer_of(module: str) -> str:
    return module.split('.')[1] if '.' in module else ''


def test_every_package_has_its_place():
    assert {layer_of(name) for name in modules()} - {'', 'version'} == set(LAYERS)


def test_every_package_has_a_folder_of_tests():
    packages = {path.parent.name for path in PACKAGE.glob('*/__init__.py')}
    assert packages <= {path.parent.name for path in (REPO / 'tests').glob('*/test_*.py')}


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


def test_each_import_inside_a_function_has_a_reason_beside_it():
    bare = [
        f'{name}:{block[0].lineno}'
        for name, path in modules().items()
        for block in imports_in_functions(name)
        if not has_comment(path.read_text(encoding='utf-8').splitlines(), block)
    ]
    assert bare == []


def test_hardly_any_import_inside_a_function_is_of_avzoo():
    found = {
        (name, target)
        for name in modules()
        for block in imports_in_functions(name)
        for node in block
        for target in imports_of(node)
    }
    assert found == OF_AVZOO_IN_FUNCTIONS


def test_modules_are_imported_by_a_text_in_two_places_only():
    found = set()
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(('import_module', '__import__')):
                found.add((name, ast.unparse(node.args[0]).strip("'")))
    assert {(name, what) for name, what in found if not what.isidentifier()} == BY_TEXT
    assert {what for _, what in found if what.isidentifier()} == {'yapf'}


def test_kernels_know_none_of_the_layers_that_use_them():
    of_kernels = {name: targets for name, targets in graph().items() if name.startswith('avzoo.models.kernels.')}
    others = {t for targets in of_kernels.values() for t in targets if layer_of(t) == 'models' and t not in of_kernels}
    assert len(of_kernels) > 5 and others == set()


def test_quick_modules_bring_in_nothing_heavy():
    quick = [name for name in modules() if layer_of(name) in ('', 'utils', 'version', 'protocol')] + QUICK_OF_THE_ZOO
    script = f'import sys, {", ".join(quick)}; print(*sys.modules)'
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, timeout=120, check=True)
    loaded = set(done.stdout.split())
    assert set(quick) <= loaded
    assert not {'torch', 'mmengine', 'timm', 'sklearn', 'scipy'} & loaded


def test_the_largest_package_stays_small_enough_to_read():
    sizes: dict[str, int] = {}
    for name, path in modules().items():
        sizes[folder_of(name)] = sizes.get(folder_of(name), 0) + len(path.read_text(encoding='utf-8').splitlines())
    limits = {folder: 1200 if folder.startswith('models.') else 2500 for folder in sizes}
    assert {folder: size for folder, size in sizes.items() if size >= limits[folder]} == {}


def folder_of(module: str) -> str:
    """Return the layer of a module; in models, which grows with the methods of the zoo, the kind of part.

    The extractors, which grow in the same way, and the curriculum, which runs what the rest of the engine offers, count
    for themselves.
    """
    parts = module.split('.')[1:]
    divided = parts[:1] == ['models'] or parts[:2] in (['engine', 'curriculum'], ['extraction', 'extractors'])
    return '.'.join(parts[:2]) if divided and len(parts) > 2 else layer_of(module)
