"""What a user gets from an import, and what the package requires."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import avzoo


def run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_import_brings_in_no_torch():
    loaded = run(sys.executable, '-c', 'import sys, avzoo; avzoo.__version__; print(*sys.modules)').split()
    assert 'avzoo' in loaded
    assert not {'torch', 'torchvision', 'timm', 'cv2', 'sklearn'} & set(loaded)


def test_public_names_are_listed_and_an_unknown_one_is_refused():
    assert set(avzoo.__all__) <= set(dir(avzoo))
    with pytest.raises(AttributeError, match='no_such_name'):
        _ = avzoo.no_such_name


def test_version_has_three_numbers_and_heads_the_changelog(repo_dir):
    assert re.fullmatch(r'\d+\.\d+\.\d+', avzoo.__version__)
    newest = re.search(r'^## (\S+)', (repo_dir / 'CHANGELOG.md').read_text(), re.MULTILINE).group(1)
    assert newest == avzoo.__version__


def imported_packages(*folders: Path) -> set[str]:
    """Return the top-level names that the files below some folders import, at their top or in functions."""

    def names(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == 'import_module':
            yield from (argument.value for argument in node.args if isinstance(argument, ast.Constant))

    trees = [ast.parse(path.read_text(encoding='utf-8')) for folder in folders for path in folder.rglob('*.py')]
    return {name.split('.')[0] for tree in trees for node in ast.walk(tree) for name in names(node)}


def normal(name: str) -> str:
    """Return the name of a distribution as packaging tools compare it, without version and marker."""
    return re.match(r'[\w.-]+', name).group().lower().replace('_', '-')


def listed(path: Path) -> set[str]:
    lines = path.read_text(encoding='utf-8').splitlines()
    return {normal(line) for line in lines if line and not line.startswith('#')}


def test_requirements_name_each_import_and_nothing_unused(repo_dir):
    own = {path.stem for path in (repo_dir / 'tools').rglob('*.py')} | {'avzoo'}
    imported = imported_packages(repo_dir / 'avzoo', repo_dir / 'tools') - sys.stdlib_module_names - own
    providers = metadata.packages_distributions()
    needed = {normal(providers.get(name, [name])[0]) for name in imported}
    runtime, optional = (listed(repo_dir / f'requirements/{name}.txt') for name in ('runtime', 'optional'))
    assert needed - runtime - {'triton'} <= optional  # That comes with PyTorch for CUDA, and is used there alone.
    # What is required without being imported must be what a requirement imports.
    unused = {'torchvision': 'timm', 'addict': 'mmengine'}
    assert runtime - needed == set(unused)
    assert all(name in map(normal, metadata.requires(parent)) for name, parent in unused.items())


def test_every_requirement_has_a_measured_version(repo_dir):
    files = ('runtime', 'tests', 'optional')
    wanted = set().union(*(listed(repo_dir / f'requirements/{name}.txt') for name in files))
    assert wanted <= listed(repo_dir / 'requirements/constraints.txt')


def test_hooks_accept_our_weights_and_check_with_our_ruff(repo_dir):
    repos = yaml.safe_load((repo_dir / '.pre-commit-config.yaml').read_text(encoding='utf-8'))['repos']
    hooks = {hook['id']: hook for repo in repos for hook in repo['hooks']}
    limit = int(hooks['check-added-large-files']['args'][0].removeprefix('--maxkb='))
    assert max(path.stat().st_size for path in (repo_dir / 'weights').iterdir()) <= 1024 * limit
    revision = next(repo['rev'] for repo in repos if 'ruff' in repo['repo']).removeprefix('v')
    assert f'ruff=={revision}' in (repo_dir / 'requirements/constraints.txt').read_text(encoding='utf-8').splitlines()


def test_ci_runs_on_every_python_that_the_package_accepts(repo_dir):
    workflow = yaml.safe_load((repo_dir / '.github/workflows/ci.yml').read_text(encoding='utf-8'))
    (job,) = workflow['jobs'].values()
    setup = (repo_dir / 'setup.py').read_text(encoding='utf-8')
    first, end = map(int, re.search(r"python_requires='>=3\.(\d+),<3\.(\d+)'", setup).groups())
    assert job['strategy']['matrix']['python-version'] == [f'3.{minor}' for minor in range(first, end)]
    assert [step['run'] for step in job['steps'] if 'run' in step] == ['bash .ci/run']
