"""Where downloads are kept, also by a user whom the system does not know."""

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

from avzoo.utils import cache

REPO = Path(cache.__file__).parents[2]
# As `docker run --user 12345`: no HOME, and the table of users has no entry.
NOBODY = """
import os, pwd
os.environ.pop('HOME', None)
def unknown(number):
    raise KeyError(number)
pwd.getpwuid = unknown
"""


def run_as_nobody(code, tmp_path, **env):
    env = {
        'PATH': os.environ['PATH'],
        'PYTHONPATH': os.pathsep.join(filter(None, (str(REPO), os.environ.get('PYTHONPATH')))),
        'TMPDIR': str(tmp_path),
    } | env
    return subprocess.run([sys.executable, '-c', NOBODY + code], capture_output=True, text=True, cwd=tmp_path, env=env)


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    monkeypatch.delenv('AVZOO_HOME', raising=False)
    monkeypatch.setattr(tempfile, 'gettempdir', lambda: str(tmp_path))
    monkeypatch.setattr(os.path, 'expanduser', lambda path: path)
    cache._temporary_home.cache_clear()


def test_everything_is_imported_and_a_model_built_without_a_home(tmp_path):
    code = """
import avzoo
avzoo.register_all_modules()
model = avzoo.get_model('avdiff_synth_5shot', pretrained=True)
print(type(model).__name__)
from avzoo.utils.cache import cache_home
print(cache_home())
"""
    done = run_as_nobody(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ['AVClassifier', str(tmp_path / f'avzoo-{os.getuid()}')]
    assert 'Set AVZOO_HOME' in done.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {f'avzoo-{os.getuid()}', f'torchinductor_uid_{os.getuid()}'}


def test_the_import_alone_changes_and_makes_nothing(tmp_path):
    code = 'before = dict(os.environ)\nimport avzoo\nassert dict(os.environ) == before'
    done = run_as_nobody(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_was_named_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv('AVZOO_HOME', str(tmp_path / 'named'))
    assert cache.cache_home() == tmp_path / 'named'
    monkeypatch.setenv('AVZOO_HOME', '~/mine')
    monkeypatch.setenv('HOME', str(tmp_path))
    assert cache.cache_home() == tmp_path / 'mine'


def test_then_comes_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.delenv('AVZOO_HOME', raising=False)
    monkeypatch.setenv('HOME', str(tmp_path))
    assert cache.cache_home() == tmp_path / '.cache' / 'avzoo'


def test_then_a_temporary_folder_of_this_user_with_one_warning(nobody, tmp_path):
    with pytest.warns(UserWarning, match='AVZOO_HOME'):
        assert cache.cache_home() == tmp_path / f'avzoo-{os.getuid()}'
    assert cache.cache_home().stat().st_mode & 0o777 == 0o700
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        cache.cache_home()


def test_a_home_that_cannot_be_written_to_counts_if_it_has_a_cache(monkeypatch, tmp_path):
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setattr(os, 'access', lambda path, mode: False)
    assert not cache.has_home()
    (tmp_path / '.cache' / 'avzoo').mkdir(parents=True)
    assert cache.has_home()


def test_a_temporary_folder_that_others_can_change_is_not_used(nobody, tmp_path):
    (tmp_path / f'avzoo-{os.getuid()}').mkdir()
    (tmp_path / f'avzoo-{os.getuid()}').chmod(0o777)
    found = cache.temporary_folder()
    assert found.name != f'avzoo-{os.getuid()}' and found.stat().st_mode & 0o777 == 0o700
