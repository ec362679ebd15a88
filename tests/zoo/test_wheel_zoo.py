"""A built wheel in an empty folder: the zoo is there, with its weights and its tools."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile

import pytest


@pytest.fixture(scope='module')
def installed(repo_dir, tmp_path_factory):
    """The unpacked wheel."""
    if importlib.util.find_spec('wheel') is None or importlib.util.find_spec('setuptools') is None:
        pytest.skip('setuptools or wheel is not installed')
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'
    run(
        folder,
        sys.executable,
        'setup.py',
        '-q',
        'egg_info',
        '--egg-base',
        folder,
        'sdist',
        '--formats=zip',
        '--dist-dir',
        folder,
        cwd=repo_dir,
    )
    zipfile.ZipFile(next(folder.glob('*.zip'))).extractall(source)
    run(
        folder,
        sys.executable,
        '-m',
        'pip',
        'wheel',
        '--quiet',
        '--no-deps',
        '--no-build-isolation',
        '--wheel-dir',
        folder,
        next(source.iterdir()),
        cwd=repo_dir,
    )
    zipfile.ZipFile(next(folder.glob('*.whl'))).extractall(folder / 'site')
    return folder / 'site'


def run(site, *command, cwd):
    # Before what was there, which may hold the packages that avzoo needs.
    path = os.pathsep.join(filter(None, (str(site), os.environ.get('PYTHONPATH'))))
    env = {**os.environ, 'PYTHONPATH': path, 'AVZOO_OFFLINE': '1', 'AVZOO_HOME': str(cwd / 'cache')}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, cwd=cwd, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


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
