"""The child of the sandbox: runs calls one after the other, and listens to what they do."""

import contextlib
import errno
import json
import os
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmengine.device.utils
import torch

from avzoo.utils.cli import run_tool

SECONDS = 10  # Of computing. A child that waits gets as long again, since other processes slow it down.
CANARY = 'ran'  # The file that every foreign code in the corpus writes into the current folder.
FOREIGN = 'evil'  # How the name of every foreign module begins.
SECRET = 'secret'  # How the name of a file begins that nothing may read.
_COMMANDS = ('os.system', 'os.exec', 'os.spawn', 'os.posix_spawn', 'subprocess.Popen', 'pty.spawn', 'socket.connect')
# What mmengine and matplotlib ask of the machine, and connections to it.
_USUAL = ('gcc --version', 'fc-list', 'rev-parse', '127.0.0.1')
_CHANGES = ('os.remove', 'os.rename', 'os.rmdir', 'os.link', 'os.symlink', 'os.truncate')


@dataclass(frozen=True)
class Job:
    """A call of a tool.

    Args:
        main: Its main function.
        argv: Its arguments.
        folder: What is outside of this folder must not be written.
    """

    main: Callable[[Sequence[str] | None], int | None]
    argv: Sequence[str]
    folder: Path


def be_the_child(jobs: Sequence[Job], pipe: int) -> None:
    """Run the calls, write a line of JSON for each into the pipe, and exit; never returns."""
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        warnings.showwarning = _show_warning  # pytest keeps warnings to itself.
        for kind in (RuntimeWarning, UserWarning):
            warnings.simplefilter('always', kind)
        _hide_gpus()
        ear = _Ear()
        sys.addaudithook(ear.hear)
        for job in jobs:
            (job.folder / 'work' / 'tmp').mkdir(parents=True, exist_ok=True)
            with ear.listening(job.folder) as faults:
                code = _run(job, faults)
            os.write(pipe, json.dumps(dict(code=code, faults=faults)).encode() + b'\n')
    finally:
        os._exit(0)


def _hide_gpus() -> None:
    """Let the tools use the CPU: how inputs are read is the same, and CUDA neither survives a fork nor fits the limits.

    An environment variable comes too late: the parent has perhaps used a GPU, and mmengine asked when it was imported.
    """
    torch.cuda.is_available, torch.cuda.device_count = lambda: False, lambda: 0
    mmengine.device.utils.DEVICE = 'cpu'


def _run(job: Job, faults: list[str]) -> int:
    """Run a call as a tool, and return its exit code."""
    code = 1
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    with _inside(job.folder / 'work'), _output_into(job.folder):
        try:
            code = run_tool(job.main, job.argv)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException as error:
            faults.append(f'{type(error).__name__} at {_place(error)}')
            with contextlib.suppress(Exception):
                traceback.print_exc()
    signal.setitimer(signal.ITIMER_PROF, 0)
    for name in [name for name in sys.modules if name.startswith(FOREIGN)]:
        faults.append(f'imported {name}')
        del sys.modules[name]
    return code


@contextlib.contextmanager
def _output_into(folder: Path) -> Iterator[None]:
    """Send standard output and standard error to files of these names, and let standard input be empty."""
    for number, name in ((1, 'stdout'), (2, 'stderr')):
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
        stream = open(number, 'w', encoding='utf-8', errors='backslashreplace', closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    yield
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()


@contextlib.contextmanager
def _inside(work: Path) -> Iterator[None]:
    """Make a folder the current one, with home, cache and temporary files in it, and modules found there."""
    variables, paths = dict(os.environ), list(sys.path)
    os.chdir(work)
    sys.path.insert(0, str(work))  # As for a script in this folder, or an interactive session.
    os.environ.update(HOME=str(work / 'home'), AVZOO_HOME=str(work / 'cache'), TMPDIR=str(work / 'tmp'))
    tempfile.tempdir = None
    for name in ('AVZOO_OFFLINE', 'http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'):
        os.environ.pop(name, None)
    yield
    os.environ.clear()
    os.environ.update(variables)
    sys.path[:] = paths


class _Ear:
    """Notes and forbids commands, connections, writing outside of a folder, and reading of secrets."""

    def __init__(self) -> None:
        self.inside: tuple[str, ...] = ()
        self.faults: list[str] = []

    @contextlib.contextmanager
    def listening(self, folder: Path) -> Iterator[list[str]]:
        self.inside, self.faults = (f'{folder}{os.sep}', '/dev/', '/proc/self/'), []
        yield self.faults
        self.inside = ()

    def hear(self, event: str, arguments: tuple) -> None:
        if self.inside and (fault := self._fault(event, arguments)):
            self.faults.append(fault)
            raise PermissionError(errno.EACCES, 'the sandbox of the test forbids this')

    def _fault(self, event: str, arguments: tuple) -> str:
        if event in _COMMANDS and not any(usual in str(arguments) for usual in _USUAL):
            return f'{event} {str(arguments)[:80]}'
        if event == 'open':
            path, mode, flags = arguments
            writes = set(mode or '') & set('wax+') or (flags or 0) & (os.O_WRONLY | os.O_RDWR)
            if writes and self._is_outside(path):
                return f'wrote {path!r}'
            if isinstance(path, str | os.PathLike) and Path(path).name.startswith(SECRET):
                return f'read {path!r}'
        if event == 'os.mkdir' and self._is_outside(arguments[0]) and not os.path.exists(arguments[0]):
            return f'made {arguments[0]!r}'
        if event in _CHANGES and any(map(self._is_outside, arguments[:2])):
            return f'{event} {arguments[:2]!r}'
        return ''

    def _is_outside(self, path: Any) -> bool:
        is_path = isinstance(path, str | bytes | os.PathLike)
        return is_path and not (os.path.abspath(os.fsdecode(path)) + os.sep).startswith(self.inside)


def _show_warning(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


def _place(error: BaseException) -> str:
    """Return file and line of the last frame of the package or its tools, else of the last frame."""
    frames = traceback.extract_tb(error.__traceback__)[-40:]
    own = [f for f in frames if '/avzoo/' in f.filename or '/tools/' in f.filename] or frames
    return f'{own[-1].filename.rpartition("/avzoo/")[2]}:{own[-1].lineno}' if own else '?'
