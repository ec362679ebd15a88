"""Each workaround around mmengine, timm and torchvision, in a fresh process where the order of imports matters."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from avzoo.utils import compat

# Reads code, and runs it in a copy of this process, which has imported torch: that alone takes two seconds.
FRESH = """
import json, os, sys
import torch
for line in sys.stdin:
    child = os.fork()
    if not child:
        exec(compile(json.loads(line), '<string>', 'exec'), {'__name__': '__main__'})
        sys.exit()
    print('exit code', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope='module')
def run_python():
    """A function that runs code in an interpreter that has imported torch alone, and returns what it prints."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, '-c', FRESH], stdin=pipe, stdout=pipe, text=True) as process:

        def run(code: str) -> str:
            print(json.dumps(code), file=process.stdin, flush=True)
            printed = ''
            while not (line := process.stdout.readline()).startswith('exit code'):
                assert line, printed
                printed += line
            assert line == 'exit code 0\n', printed
            return printed.strip()

        yield run
        process.stdin.close()


def test_timm_imports_after_the_operator_shim(run_python):
    code = (
        'from avzoo.utils import compat\n'
        'compat.define_torchvision_operators()\n'
        'compat.define_torchvision_operators()\n'  # a second call must not define the operators again
        'import gc; gc.collect()\n'
        'import timm.layers, torch\n'
        'print(hasattr(torch.ops.torchvision, "nms"))'
    )
    assert run_python(code) == 'True'


def test_the_shim_leaves_existing_operators_alone(run_python):
    code = (
        'import torch\n'
        'from avzoo.utils import compat\n'
        # A second definition of the namespace, as by the compiled library where it fits, ends the process.
        'compat._load_torchvision_extension = lambda folder: False\n'
        'lib = torch.library.Library("torchvision", "DEF")\n'
        'for name in ("nms", "qnms"):\n'
        '    lib.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")\n'
        'compat.define_torchvision_operators()\n'
        'print(compat._torchvision_library)'
    )
    assert run_python(code) == 'None'


def test_registry_import_applies_everything_and_registration_keeps_it(run_python):
    code = (
        'import os; os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)\n'
        'import avzoo.registry\n'
        'import torchvision\n'
        'from mmengine.config.utils import MODULE2PACKAGE\n'
        'print(MODULE2PACKAGE["avzoo"], os.environ["CUBLAS_WORKSPACE_CONFIG"])\n'
        'avzoo.register_all_modules()\n'
        'print(MODULE2PACKAGE["avzoo"])'
    )
    assert run_python(code) == 'avzoo :4096:8\navzoo'


def test_mmengine_finds_packages_without_pkg_resources(run_python, tmp_path):
    # Where it is installed it is not imported either, since it warns of itself.
    (tmp_path / 'pkg_resources.py').write_text('raise ImportError')
    code = (
        f'import sys; sys.path.insert(0, {str(tmp_path)!r})\n'
        'from avzoo.utils import compat\n'
        'compat.patch_mmengine()\n'
        'from mmengine.utils import get_installed_path, is_installed\n'
        'from mmengine.hub import hub\n'
        'print(is_installed("mmengine"), is_installed("no_such_package"))\n'
        'hub.install_package("mmengine")\n'  # raises, or starts pip, when it does not see the package
        'import mmengine, pathlib\n'
        'print(get_installed_path("mmengine") == str(pathlib.Path(mmengine.__file__).parent))'
    )
    assert run_python(code) == 'True False\nTrue'


def test_installed_path_of_a_distribution_whose_module_has_another_name():
    if compat._distribution('PyYAML').read_text('top_level.txt') is None:
        pytest.skip('this build of PyYAML does not name its modules')
    assert compat.package2module('PyYAML') == 'yaml'
    assert Path(compat.get_installed_path('PyYAML')) == Path(yaml.__file__).parent


def test_a_missing_package_is_named_in_the_error():
    with pytest.raises(ModuleNotFoundError, match="'no_such_package' is not installed"):
        compat.get_installed_path('no_such_package')
    with pytest.raises(metadata.PackageNotFoundError):
        compat.package2module('no_such_package')


def test_a_cublas_setting_of_the_user_stays(monkeypatch):
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', ':16:8')
    compat.set_cublas_workspace()
    assert compat.os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':16:8'
    monkeypatch.delenv('CUBLAS_WORKSPACE_CONFIG')
    compat.set_cublas_workspace()
    assert compat.os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':4096:8'


def test_waiting_threads_sleep_unless_the_user_wants_otherwise(monkeypatch):
    names = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')
    for given, expected in {
        (None, None): ('PASSIVE', '1000'),
        (None, '0'): ('PASSIVE', '0'),
        ('PASSIVE', None): ('PASSIVE', None),
        ('ACTIVE', None): ('ACTIVE', None),
    }.items():
        for name, value in zip(names, given, strict=True):
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)
        compat.share_cores()
        assert tuple(map(os.environ.get, names)) == expected, given


def test_yapf_is_imported_under_a_lock_once(tmp_path):
    code = """
import sys, contextlib
from avzoo.utils import compat
asked = []

@contextlib.contextmanager
def recorded(target):
    asked.append('yapf' in sys.modules)
    yield
    asked.append('yapf' in sys.modules)

compat.locked = recorded
compat.import_yapf()
compat.import_yapf()
assert asked == [False, True], asked
"""
    subprocess.run([sys.executable, '-c', code], check=True, env=dict(os.environ, AVZOO_HOME=str(tmp_path / 'home')))
    assert not (tmp_path / 'home').exists()


def test_importing_avzoo_has_no_side_effects(tmp_path):
    code = (
        'import os, sys\n'
        'before = dict(os.environ)\n'
        'import avzoo\n'
        'assert dict(os.environ) == before\n'
        'foreign = {name.split(".")[0] for name in sys.modules} - sys.stdlib_module_names - {"avzoo", "__main__"}\n'
        'assert not foreign, foreign\n'
        'assert avzoo.__version__ and "get_model" in dir(avzoo)\n'
    )
    home = tmp_path / 'home'
    home.mkdir()
    env = {'HOME': str(home), 'PATH': os.environ['PATH'], 'PYTHONPATH': str(Path(compat.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, '-S', '-B', '-c', code], capture_output=True, text=True, cwd=tmp_path, env=env
    )
    assert done.returncode == 0, done.stderr
    assert list(home.iterdir()) == []
