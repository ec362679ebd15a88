"""Tools of the tests run in copies of a process, or in new ones where a copy would not do."""

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
