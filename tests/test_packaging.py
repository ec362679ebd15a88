"""What a user gets from an import and from a built wheel."""

import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

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


@pytest.fixture(scope='module')
def wheel(repo_dir, tmp_path_factory) -> Path:
    """Build the wheel from an sdist in a folder of its own, so that nothing is left in the repository."""
    for name in ('setuptools', 'wheel'):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f'{name} is not installed')
    folder = tmp_path_factory.mktemp('dist')
    run(
        sys.executable,
        'setup.py',
        '-q',
        'egg_info',
        '--egg-base',
        str(folder),
        'sdist',
        '--formats=zip',
        '--dist-dir',
        str(folder),
        cwd=repo_dir,
    )
    with zipfile.ZipFile(next(folder.glob('*.zip'))) as archive:
        archive.extractall(folder)
    source = next(path.parent for path in folder.glob('*/setup.py'))
    run(
        sys.executable,
        '-m',
        'pip',
        'wheel',
        '--quiet',
        '--no-deps',
        '--no-build-isolation',
        '--wheel-dir',
        str(folder),
        str(source),
    )
    return next(folder.glob('*.whl'))


def test_wheel_holds_the_package_and_the_zoo(wheel, repo_dir):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(repo_dir).as_posix() for path in (repo_dir / 'avzoo').rglob('*.py')}
    assert len(modules) > 100 and modules <= names
    zoo = [repo_dir / 'model-index.yml', *(repo_dir / 'configs').rglob('*.*'), *(repo_dir / 'tools').rglob('*.*')]
    expected = {
        f'avzoo/.mim/{path.relative_to(repo_dir).as_posix()}'
        for path in zoo
        if path.is_file() and '__pycache__' not in path.parts
    }
    assert len(expected) > 270 and expected <= names
    assert not [name for name in names if '__pycache__' in name or name.startswith(('tests/', 'tools/'))]


def test_wheel_states_version_licence_and_requirements(wheel):
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(f'avzoo-{avzoo.__version__}.dist-info/METADATA').decode()
    assert f'Version: {avzoo.__version__}\n' in metadata
    assert 'License-Expression: Apache-2.0\n' in metadata
    for line in (
        'Requires-Dist: torch<3,>=2.10',
        'Requires-Dist: submitit>=1.5; extra == "slurm"',
        'Requires-Dist: pytest>=8.0; extra == "all"',
    ):
        assert line in metadata
