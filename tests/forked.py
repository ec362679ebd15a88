"""Run a tool as a command line does, in a process that need not import everything again.

As a program it is the process behind :class:`ToolServer`.
"""

import json
import logging
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import IO, NoReturn

REPO = Path(__file__).resolve().parents[1]


def run_tool_file(path: Path, *arguments: object, cwd: Path, timeout: float = 300) -> tuple[int, str, str]:
    """Run a tool's file as ``python FILE ARGUMENTS``; returns exit code, standard output and standard error.

    The process is a copy of this one, so what is imported already costs nothing: a start takes seconds otherwise. Where
    a copy does not do (no fork, or see :func:`_cannot_use_gpu`) a new process is started. A tool that trains needs
    :class:`ToolServer`: after a backward pass here, a copy of this process cannot train.
    """
    (done,) = _run_together([str(path), *map(str, arguments)], str(cwd), [{}], timeout)
    return done


def _run_together(argv: list[str], cwd: str, envs: list[dict[str, str]], timeout: float) -> list[tuple[int, str, str]]:
    """Run a tool once for each environment, all at the same time."""
    start = _copy_of_this_process if hasattr(os, 'fork') else _new_process
    with ExitStack() as stack:
        files = [[stack.enter_context(tempfile.TemporaryFile()) for _ in range(2)] for _ in envs]
        waits = [start(argv, cwd, env, *pair, timeout) for env, pair in zip(envs, files, strict=True)]
        codes = [wait() for wait in waits]
        return [(code, *map(_content, pair)) for code, pair in zip(codes, files, strict=True)]


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _new_process(
    argv: list[str], cwd: str, env: dict[str, str], out: IO[bytes], err: IO[bytes], timeout: float
) -> Callable[[], int]:
    process = subprocess.Popen([sys.executable, *argv], cwd=cwd, env={**os.environ, **env}, stdout=out, stderr=err)
    return lambda: process.wait(timeout)


def _copy_of_this_process(
    argv: list[str], cwd: str, env: dict[str, str], out: IO[bytes], err: IO[bytes], timeout: float
) -> Callable[[], int]:
    child = os.fork()
    if not child:
        _be_the_tool(argv, cwd, env, out.fileno(), err.fileno(), timeout)
    return lambda: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class ToolServer:
    """A process that has imported everything and trained nothing: tools run in copies of it, even those that train."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, path: Path, *arguments: object, cwd: Path = REPO, **env: str) -> tuple[int, str, str]:
        """Run a tool's file with more variables in its environment, see :func:`run_tool_file`."""
        (done,) = self.run_together(path, *arguments, cwd=cwd, envs=[env])
        return done

    def run_together(
        self, path: Path, *arguments: object, cwd: Path = REPO, envs: list[dict[str, str]]
    ) -> list[tuple[int, str, str]]:
        """Run a tool's file several times at once, each with variables of its own."""
        argv = [str(path), *map(str, arguments)]
        if not hasattr(os, 'fork'):
            return _run_together(argv, str(cwd), envs, 300)
        if self._process is None:
            command = [sys.executable, '-m', 'tests.forked']
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPO
            )
        print(json.dumps([argv, str(cwd), envs, 300]), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait(20)


def _serve() -> None:
    """Answer the requests that come as lines of JSON."""
    import avzoo
    from avzoo.utils import compat

    compat.prepare_process()
    avzoo.register_all_modules()
    for module in pkgutil.walk_packages(avzoo.__path__, 'avzoo.'):
        import_module(module.name)
    import_module('torch._dynamo')  # The first optimizer of a process does.
    answers = os.fdopen(os.dup(1), 'w')
    for line in sys.stdin:
        print(json.dumps(_run_together(*json.loads(line))), file=answers, flush=True)


def _be_the_tool(argv: list[str], cwd: str, env: dict[str, str], out: int, err: int, timeout: float) -> None:
    code = 1
    try:
        signal.alarm(int(timeout))  # Ends the process, and with it the test.
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, 'w', closefd=False), os.fdopen(2, 'w', closefd=False)
        sys.stdin = open(os.devnull)  # noqa: SIM115
        start_anew = _cannot_use_gpu(env)
        os.environ.update(env)
        os.chdir(cwd)
        more = env.get('PYTHONPATH', '').split(os.pathsep)
        sys.argv, sys.path[0:0] = argv, [str(Path(argv[0]).parent), *filter(None, more)]
        if start_anew:
            _become_a_new_process(argv)
        _forget_what_was_set_up()
        runpy.run_path(argv[0], run_name='__main__')
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _forget_what_was_set_up() -> None:
    """Drop the loggers and scopes of tests before, which a new process would not have."""
    for name in ('mmengine.logging.logger', 'mmengine.registry.default_scope', 'mmengine.logging.message_hub'):
        module = sys.modules.get(name)
        for value in vars(module).values() if module else ():
            if isinstance(getattr(value, '_instance_dict', None), dict):
                value._instance_dict.clear()
    for logger in [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]:
        logger.handlers = []


def _cannot_use_gpu(env: dict[str, str]) -> bool:
    """Whether this copy of a process cannot use the GPU of the machine, or would not notice that it is hidden.

    CUDA does not survive a fork. Asking whether there is a GPU is enough to start it, and mmengine asks when it is
    imported, and keeps the answer. By ``PYTORCH_NVML_BASED_CUDA_CHECK``, which ``conftest.py`` sets, torch asks the
    management library instead.
    """
    torch = sys.modules.get('torch')
    if torch is None or not torch.cuda.is_available():
        return False
    return torch.cuda._is_in_bad_fork() or 'CUDA_VISIBLE_DEVICES' in env


def _become_a_new_process(argv: list[str]) -> NoReturn:
    """Start Python anew in this process, with the module path of this one."""
    os.dup2(sys.stdin.fileno(), 0)
    os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, sys.path))
    os.execv(sys.executable, [sys.executable, *argv])


if __name__ == '__main__':
    _serve()
