"""What a process keeps of the memory that tensors freed."""

import os
import subprocess
import sys
from contextlib import nullcontext

import pytest
import torch

from avzoo.engine import CurriculumRunner, memory

glibc = pytest.mark.skipif(memory._glibc() is None, reason='the C library is not glibc')
# Page faults while the same tensors are made and freed again and again, as in the steps of a training.
FAULTS = """
import ctypes, resource, torch
from avzoo.engine.memory import keep_freed_memory

def faults():
    for _ in range(5):  # The heap may take some rounds until all blocks have their place; the last one counts.
        begin = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(2):
            parts = [torch.zeros(1 << 22).add_(1) for _ in range(4)]
            del parts
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begin

# glibc's own threshold grows with what is freed, and then pages may be kept by chance.
ctypes.CDLL(None).mallopt(-3, 1 << 17)
given_back = faults()
keep_freed_memory()
print(given_back, faults())
"""


class Library:
    """The calls to a C library, of which an old one refuses much memory."""

    def __init__(self, most: int = 1 << 40) -> None:
        self.most, self.calls = most, []

    def mallopt(self, name: int, value: int) -> int:
        self.calls.append((name, value))
        return int(value <= self.most)

    def malloc_trim(self, pad: int) -> None:
        self.calls.append(('trim', pad))


@glibc
def test_freed_memory_is_used_again():
    environment = {name: value for name, value in os.environ.items() if name not in memory._OF_USER}
    run = [sys.executable, '-c', FAULTS]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    given_back, kept = map(int, done.stdout.split())
    assert kept < 100 < given_back


def test_settings_of_the_user_stay(monkeypatch):
    for variable in (None, *memory._OF_USER):
        library = Library()
        monkeypatch.setattr(memory, '_glibc', lambda library=library: library)
        for name in memory._OF_USER:
            monkeypatch.delenv(name, raising=False)
        if variable:
            monkeypatch.setenv(variable, '1')
        memory.keep_freed_memory()
        assert library.calls == ([] if variable else [(-1, 1 << 30), (-3, 1 << 30)]), variable


def test_an_old_library_keeps_what_it_can(monkeypatch):
    library = Library(most=1 << 25)
    monkeypatch.setattr(memory, '_glibc', lambda: library)
    for name in memory._OF_USER:
        monkeypatch.delenv(name, raising=False)
    memory.keep_freed_memory()
    assert library.calls[1:] == [(-3, 1 << 30), (-3, 1 << 25)]


def test_freed_memory_is_given_back(monkeypatch):
    library = Library()
    monkeypatch.setattr(memory, '_glibc', lambda: library)

    def empty_cache():
        library.calls.append('gpu')
        raise RuntimeError('an illegal memory access was met')

    monkeypatch.setattr(memory, 'release_held_store', lambda: library.calls.append('store'))
    monkeypatch.setattr(memory.gc, 'collect', lambda: library.calls.append('cycles'))
    monkeypatch.setattr(torch.cuda, 'empty_cache', empty_cache)
    memory.free_memory()
    assert library.calls == ['store', 'cycles', 'gpu', ('trim', 0)]  # Each frees what the next one gives back.


@pytest.mark.parametrize('platform', ['darwin', 'win32'])
def test_other_systems_are_left_alone(platform, monkeypatch):
    monkeypatch.setattr(sys, 'platform', platform)
    assert memory._glibc() is None
    memory.keep_freed_memory()
    memory.free_memory()


def test_a_phase_keeps_freed_memory(monkeypatch):
    kept = []
    monkeypatch.setattr('avzoo.engine.phase_runner.keep_freed_memory', lambda: kept.append(torch.get_num_threads()))
    from avzoo.engine.phase_runner import PhaseRunner

    runner = PhaseRunner.__new__(PhaseRunner)
    monkeypatch.setattr('mmengine.runner.Runner.setup_env', lambda self, env: None)
    runner._timestamp, runner.cfg = 'now', {}
    runner.setup_env({})
    assert kept


@pytest.mark.parametrize('fails', [False, True])
def test_a_training_gives_back_what_it_kept_when_it_ends(fails, small_avdiff, tmp_path, monkeypatch):
    done = []

    def train(self):
        done.append('trained')
        if fails:
            raise RuntimeError('stopped')

    monkeypatch.setattr(CurriculumRunner, '_train', train)
    monkeypatch.setattr('avzoo.engine.curriculum.runner.free_memory', lambda: done.append('freed'))
    with pytest.raises(RuntimeError, match='stopped') if fails else nullcontext():
        CurriculumRunner(small_avdiff(tmp_path), stage=1).train()
    assert done == ['trained', 'freed']
