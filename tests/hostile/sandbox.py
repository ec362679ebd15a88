"""Run a call in a forked child with limits, and say what it did."""

import contextlib
import errno
import json
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avzoo.utils.cli import run_tool

SECONDS = 10  # Of computing. A child that waits gets as long again, since other processes slow it down.
MEGABYTES = 1000
CANARY = 'ran'  # The file that every foreign code in the corpus writes into the current folder.
FOREIGN = 'evil'  # How the name of every foreign module begins.
SECRET = 'secret'  # How the name of a file begins that nothing may read.
_LONGEST_LINE = 2000
# Control characters but the line break and the tab, and those that reverse the text.
_UNPRINTABLE = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]')
_COMMANDS = ('os.system', 'os.exec', 'os.spawn', 'os.posix_spawn', 'subprocess.Popen', 'pty.spawn', 'socket.connect')
# What mmengine and matplotlib ask of the machine, and connections to it.
_USUAL = ('gcc --version', 'fc-list', 'rev-parse', '127.0.0.1')
_CHANGES = ('os.remove', 'os.rename', 'os.rmdir', 'os.mkdir', 'os.link', 'os.symlink', 'os.truncate')


@dataclass(frozen=True)
class Outcome:
    """What became of a call.

    Attributes:
        kind: ``accepted`` or ``refused``.
        faults: What must never happen, in words; empty for a call without fault.
        text: What it printed.
        seconds: How long it took.
        megabytes: How much memory it took at most.
        cpu: Seconds of computing.
    """

    kind: str
    faults: list[str] = field(default_factory=list)
    text: str = ''
    seconds: float = 0.0
    megabytes: float = 0.0
    cpu: float = 0.0


def run_alone(main: Callable[[Sequence[str] | None], int | None], argv: Sequence[str], folder: Path) -> Outcome:
    """Run ``main(argv)`` as a command-line tool in a child of this process.

    The child's current folder, home, cache and temporary folder lie in ``folder / 'work'``.

    Args:
        main: The tool's main function.
        argv: Its arguments.
        folder: A folder; what is outside of it must not be written.
    """
    (folder / 'work').mkdir(exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():  # Of threads: the child starts none and waits for none.
        warnings.simplefilter('ignore')
        began, child = time.monotonic(), os.fork()
    if child == 0:
        _be_the_child(main, argv, folder)
    status, usage, megabytes, stopped = _wait(child, began)
    kind, faults, text = _judge(folder, status, megabytes, stopped)
    return Outcome(kind, faults, text, time.monotonic() - began, megabytes, usage.ru_utime + usage.ru_stime)


def _be_the_child(main: Callable, argv: Sequence[str], folder: Path) -> None:
    """Run the call and exit; never returns."""
    code, faults = 1, []
    report = os.open(folder / 'report', os.O_WRONLY | os.O_CREAT)  # Now: the call may lose the right to.
    try:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        _take_over_output(folder)
        _enter(folder / 'work')
        _listen(folder, faults)
        code = run_tool(main, argv)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        faults.append(f'{type(error).__name__} at {_place(error)}')
        with contextlib.suppress(Exception):
            traceback.print_exc()
    finally:
        faults += [f'imported {name}' for name in list(sys.modules) if name.startswith(FOREIGN)]
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os.write(report, json.dumps(dict(code=code, faults=faults)).encode('utf-8', 'replace'))
        os._exit(0)


def _take_over_output(folder: Path) -> None:
    for number, name in ((1, 'stdout'), (2, 'stderr')):
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
        stream = open(number, 'w', encoding='utf-8', errors='backslashreplace', closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _enter(work: Path) -> None:
    os.chdir(work)
    sys.path.insert(0, str(work))  # As for a script in this folder, or an interactive session.
    os.environ.update(HOME=str(work / 'home'), AVZOO_HOME=str(work / 'cache'), TMPDIR=str(work / 'tmp'))
    (work / 'tmp').mkdir(exist_ok=True)
    tempfile.tempdir = None
    for name in ('AVZOO_OFFLINE', 'http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'):
        os.environ.pop(name, None)


def _listen(folder: Path, faults: list[str]) -> None:
    """Note and forbid commands, connections, writing outside of the folder, and reading of secrets."""
    inside = (str(folder), '/dev/', '/proc/self/')

    def is_outside(path: Any) -> bool:
        return isinstance(path, str | bytes | os.PathLike) and not os.path.abspath(os.fsdecode(path)).startswith(inside)

    def fault_of(event: str, arguments: tuple) -> str:
        if event in _COMMANDS and not any(usual in str(arguments) for usual in _USUAL):
            return f'{event} {str(arguments)[:80]}'
        if event == 'open':
            path, mode, flags = arguments
            writes = set(mode or '') & set('wax+') or (flags or 0) & (os.O_WRONLY | os.O_RDWR)
            if writes and is_outside(path):
                return f'wrote {path!r}'
            if isinstance(path, str | os.PathLike) and Path(path).name.startswith(SECRET):
                return f'read {path!r}'
        if event in _CHANGES and any(map(is_outside, arguments[:2])):
            return f'{event} {arguments[:2]!r}'
        return ''

    def hear(event: str, arguments: tuple) -> None:
        if fault := fault_of(event, arguments):
            faults.append(fault)
            raise PermissionError(errno.EACCES, 'the sandbox of the test forbids this')

    sys.addaudithook(hear)


def _place(error: BaseException) -> str:
    """Return file and line of the last frame of the package or its tools, else of the last frame."""
    frames = traceback.extract_tb(error.__traceback__)[-40:]
    own = [f for f in frames if '/avzoo/' in f.filename or '/tools/' in f.filename] or frames
    return f'{own[-1].filename.rpartition("/avzoo/")[2]}:{own[-1].lineno}' if own else '?'


def _wait(child: int, began: float) -> tuple[int, resource.struct_rusage, float, str]:
    """Wait for the child; kill it when it exceeds the limits. Returns status, usage, megabytes and which limit."""
    at_start, stopped, pause = _resident_megabytes(child), '', 0.001
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            return status, usage, usage.ru_maxrss / 1024 - at_start, stopped
        if not stopped and _resident_megabytes(child) - at_start > MEGABYTES:
            stopped = f'took more than {MEGABYTES} MB'
        if not stopped and time.monotonic() - began > 2 * SECONDS:
            stopped = f'did not end within {2 * SECONDS} s'
        if stopped:
            os.kill(child, signal.SIGKILL)
        time.sleep(pause)
        pause = min(2 * pause, 0.01)


def _resident_megabytes(process: int) -> float:
    try:
        with open(f'/proc/{process}/statm') as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 2**20
    except (OSError, IndexError):
        return 0.0


def _judge(folder: Path, status: int, megabytes: float, stopped: str) -> tuple[str, list[str], str]:
    """Return kind, faults and text of the outcome."""
    out, err = ((folder / name).read_text('utf-8', 'replace') for name in ('stdout', 'stderr'))
    try:
        report = json.loads((folder / 'report').read_text())
    except (FileNotFoundError, ValueError):
        number = status & 0x7F
        killed = f'took more than {SECONDS} s' if number == signal.SIGXCPU else f'died of signal {number}'
        report = dict(code=-1, faults=[stopped or killed])
    faults = list(dict.fromkeys(report['faults']))
    if (folder / 'work' / CANARY).exists():
        faults.append('ran foreign code')
    if megabytes > MEGABYTES and not stopped:
        faults.append(f'took {megabytes:.0f} MB')
    if report['code'] not in (0, 2, -1) and not faults:
        faults.append(f'exit code {report["code"]}')
    if (odd := _UNPRINTABLE.search(out + err)) and report['code'] in (0, 2):
        faults.append(f'printed {odd[0]!r}')
    if report['code'] == 2 and (problem := _not_one_line(err)):
        faults.append(problem)
    return 'accepted' if report['code'] == 0 else 'refused', faults, out + err


def _not_one_line(err: str) -> str:
    """Say what keeps the errors of a refusal from being one clear line; that of argparse follows its usage.

    Warnings and a progress bar are not errors.
    """
    lines = [line for line in err.split('\n') if line and not line.startswith('warning:') and '━' not in line]
    if lines and lines[0].startswith('usage:'):
        lines = lines[-1:] if ': error: ' in lines[-1] else lines
    if lines and lines[0].endswith('could not be downloaded:'):  # The addresses that were tried follow.
        lines = [lines[0], *(line for line in lines[1:-1] if not line.startswith('  '))]
    if len(lines) != 1:
        return f'{len(lines)} lines of errors'
    return f'a line of {len(lines[0])} characters' if len(lines[0]) > _LONGEST_LINE else ''
