"""Tools of the tests run in copies of a process, or in new ones where a copy would not do."""

import os
import subprocess

import pytest
import torch

from tests.forked import run_tool_file

SAY = """
import os, sys
import avzoo
print('numpy' in sys.modules, sys.argv[1:], os.getcwd(), repr(sys.stdin.read()))
sys.exit(3)
"""


@pytest.fixture
def say(tmp_path):
    (tmp_path / 'say.py').write_text(SAY)
    return lambda: run_tool_file(tmp_path / 'say.py', 'a', 5, cwd=tmp_path)


def test_a_copy_has_imported_everything(say, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)  # Tests before may have used a GPU.
    assert say() == (3, f"True ['a', '5'] {tmp_path} ''\n", '')


def test_a_process_that_has_used_a_gpu_starts_new_ones(say, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, '_is_in_bad_fork', lambda: True)
    assert say() == (3, f"False ['a', '5'] {tmp_path} ''\n", '')


def test_a_copy_does_where_cuda_was_not_started(say, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, '_is_in_bad_fork', lambda: False)
    assert say()[1].startswith('True')


def test_a_command_stands_for_python(tool_server):
    code = 'import sys; print("numpy" in sys.modules, sys.argv, input()); sys.exit(3)'
    done = subprocess.run([*tool_server.python, '-c', code, 'a'], input='told', capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "True ['-c', 'a'] told\n"), done.stderr


def test_what_a_killed_command_ran_ends_with_it(tool_server, tmp_path):
    code = 'import os, time; print(os.getpid(), flush=True); time.sleep(600)'
    with subprocess.Popen([*tool_server.python, '-c', code], stdout=subprocess.PIPE) as command:
        number = int(command.stdout.readline())
        command.kill()
        assert command.stdout.read() == b''  # Which the other held open.
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
