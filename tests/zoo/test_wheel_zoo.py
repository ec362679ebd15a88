"""A built wheel: what it holds, and in an empty folder the zoo with its weights and its tools."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import avzoo


@pytest.fixture(scope='module')
def wheel(repo_dir, tmp_path_factory) -> Path:
    """Build the wheel from an sdist in a separate folder, so that nothing is left in the repository."""
    if importlib.util.find_spec('setuptools') is None:
        pytest.skip('setuptools is not installed')
    folder = tmp_path_factory.mktemp('wheel')
    sdist = 'egg_info', '--egg-base', folder, 'sdist', '--formats=zip', '--dist-dir', folder
    run(folder, sys.executable, 'setup.py', '-q', *sdist, cwd=repo_dir)
    zipfile.ZipFile(next(folder.glob('*.zip'))).extractall(folder / 'source')
    options = '--quiet', '--no-deps', '--no-build-isolation', '--wheel-dir', folder
    run(folder, sys.executable, '-m', 'pip', 'wheel', *options, next((folder / 'source').iterdir()), cwd=repo_dir)
    return next(folder.glob('*.whl'))


@pytest.fixture(scope='module')
def installed(wheel) -> Path:
    """The unpacked wheel."""
    zipfile.ZipFile(wheel).extractall(wheel.parent / 'site')
    return wheel.parent / 'site'


def run(site, *command, cwd):
    # Before what was there, which may hold the packages that avzoo needs.
    path = os.pathsep.join(filter(None, (str(site), os.environ.get('PYTHONPATH'))))
    env = {**os.environ, 'PYTHONPATH': path, 'AVZOO_OFFLINE': '1', 'AVZOO_HOME': str(cwd / 'cache')}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, cwd=cwd, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_wheel_holds_the_package_and_the_zoo(wheel, repo_dir):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(repo_dir).as_posix() for path in (repo_dir / 'avzoo').rglob('*.py')}
    page = {path.relative_to(repo_dir).as_posix() for path in (repo_dir / 'avzoo/demo/page').iterdir()}
    assert len(modules) > 100 and len(page) > 5 and modules | page | {'avzoo/py.typed'} <= names
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


@pytest.fixture(scope='module')
def printed(installed, tmp_path_factory):
    """What an interpreter in an empty folder prints of the zoo."""
    code = (
        'import avzoo; names = avzoo.list_models(pretrained=True); print(avzoo.__file__); print(*names)\n'
        'for name in names: avzoo.get_model(name, pretrained=True)\n'
        'avzoo.register_all_modules()\nfrom mmengine.hub import get_model\n'
        "print(type(get_model('avzoo::avdiff/avdiff_synth_5shot.py', pretrained=True)).__name__)"
    )
    return run(installed, sys.executable, '-c', code, cwd=tmp_path_factory.mktemp('empty')).strip().split('\n')


def test_names_and_weights_are_there_without_network_and_repository(installed, printed):
    origin, names = printed[:2]
    assert origin.startswith(str(installed)) and 'avdiff_synth_5shot' in names.split()


def test_mmengine_hub_finds_them_too(printed):
    assert printed[-1] == 'AVClassifier'


def test_a_shipped_clip_is_recognised(installed, tmp_path):
    zoo = installed / 'avzoo' / '.mim'
    found = json.loads(
        run(
            installed,
            sys.executable,
            zoo / 'tools' / 'predict.py',
            'avdiff_synth_5shot',
            '--features',
            zoo / 'demo' / 'synth_clip.npz',
            '--json',
            cwd=tmp_path,
        )
    )
    assert len(found[0]['predictions']) == 5 and found[0]['video_id'] == 'synth_clip'
