"""Run tools as command lines do, in processes that need not import everything again."""

import json
import logging
import os
import pkgutil
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO, NoReturn

REPO = Path(__file__).resolve().parents[1]
CLIENT = Path(__file__).with_name('forked_client.py')
_TIMEOUT = 300.0  # Seconds that a tool may take.
_address = ''  # Where the kept copy of this process listens.


def run_tool_file(path: Path, *arguments: object, cwd: Path, timeout: float = _TIMEOUT) -> tuple[int, str, str]:
    """Run a tool's file as ``python FILE ARGUMENTS``; returns exit code, standard output and standard error.

    The process is a copy of this one, so what is imported already costs nothing: a start takes seconds otherwise. Where
    a copy does not do (no fork, or see :func:`_cannot_use_gpu`) a new process is started. A tool that trains needs
    :class:`ToolServer`: after a backward pass here, a copy of this process cannot train.
    """
    start = _copy_of_this_process if hasattr(os, 'fork') else _new_process
    return _run_together(start, [str(path), *map(str, arguments)], cwd, [{}], timeout)[0]


class ToolServer:
    """Runs tools in copies of this process as it was before the first test, even tools that train."""

    @property
    def python(self) -> Sequence[str]:
        """The command of an interpreter that has imported everything; a file and arguments, or -c CODE, follow."""
        return [sys.executable, *(['-I', '-S', str(CLIENT), _address] if _address else [])]

    def run(self, path: Path, *arguments: object, cwd: Path = REPO, **env: str) -> tuple[int, str, str]:
        """Run a tool's file with more variables in its environment, see :func:`run_tool_file`."""
        (done,) = self.run_together(path, *arguments, cwd=cwd, envs=[env])
        return done

    def run_together(
        self, path: Path, *arguments: object, cwd: Path = REPO, envs: list[dict[str, str]]
    ) -> list[tuple[int, str, str]]:
        """Run a tool's file several times at once, each with variables of its own."""
        start = _copy_of_the_kept_process if _address else _new_process
        return _run_together(start, [str(path), *map(str, arguments)], cwd, envs, _TIMEOUT)


def keep_a_copy() -> None:
    """Fork a process that stays as this one is now, until this one ends; :class:`ToolServer` needs it."""
    global _address
    _address = os.path.join(tempfile.mkdtemp(prefix='avzoo-tests-'), 'tools')
    alive, mine = os.pipe()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(_address)
        listener.listen()
        if not os.fork():
            os.close(mine)  # Now it is closed when the process of the tests ends.
            _serve(listener, alive)
    os.close(alive)


def _serve(listener: socket.socket, alive: int) -> NoReturn:
    """Start a copy of this process for each request, until the end of a pipe."""
    try:
        imported = False
        while select.select([listener, alive], [], [])[0] == [listener]:
            connection = listener.accept()[0]
            if not imported:
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore')
                    _import_everything()
                imported = True
            if not os.fork():
                listener.close()
                _answer(connection)
            connection.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    continue
    finally:
        shutil.rmtree(Path(_address).parent, ignore_errors=True)
        os._exit(0)


def _import_everything() -> None:
    import avzoo

    avzoo.register_all_modules()
    for module in pkgutil.walk_packages(avzoo.__path__, 'avzoo.'):
        import_module(module.name)
    import_module('torch._dynamo')  # The first optimizer of a process does.


def _answer(connection: socket.socket) -> NoReturn:
    """Run what a request says in a copy of this process, and send its exit code; end it where nobody waits for it."""
    try:
        streams = socket.recv_fds(connection, 1, 3)[1]
        argv, cwd, env, timeout = json.loads(connection.makefile().readline())
        ended, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)
        child = os.fork()
        if not child:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _be_the_tool(argv, cwd, env, streams, timeout)
        if connection in select.select([connection, ended], [], [])[0]:
            os.kill(child, signal.SIGKILL)
        connection.sendall(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())
    finally:
        os._exit(0)


Start = Callable[[list[str], Path, dict[str, str], Sequence[IO[bytes]], float], Callable[[], int]]


def _run_together(
    start: Start, argv: list[str], cwd: Path, envs: list[dict[str, str]], timeout: float
) -> list[tuple[int, str, str]]:
    """Run a tool once for each environment, all at the same time."""
    with ExitStack() as stack:
        nothing = stack.enter_context(open(os.devnull, 'rb'))
        files = [[stack.enter_context(tempfile.TemporaryFile()) for _ in range(2)] for _ in envs]
        waits = [
            start(argv, cwd, {**os.environ, **env}, [nothing, *pair], timeout)
            for env, pair in zip(envs, files, strict=True)
        ]
        codes = [wait() for wait in waits]
        return [(code, *map(_content, pair)) for code, pair in zip(codes, files, strict=True)]


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _new_process(
    argv: list[str], cwd: Path, env: dict[str, str], streams: Sequence[IO[bytes]], timeout: float
) -> Callable[[], int]:
    stdin, out, err = streams
    process = subprocess.Popen([sys.executable, *argv], cwd=cwd, env=env, stdin=stdin, stdout=out, stderr=err)
    return lambda: process.wait(timeout)


def _copy_of_this_process(
    argv: list[str], cwd: Path, env: dict[str, str], streams: Sequence[IO[bytes]], timeout: float
) -> Callable[[], int]:
    child = os.fork()
    if not child:
        _be_the_tool(argv, str(cwd), env, [stream.fileno() for stream in streams], timeout)
    return lambda: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _copy_of_the_kept_process(
    argv: list[str], cwd: Path, env: dict[str, str], streams: Sequence[IO[bytes]], timeout: float
) -> Callable[[], int]:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(_address)
    socket.send_fds(connection, [b' '], [stream.fileno() for stream in streams])
    connection.sendall(f'{json.dumps([argv, str(cwd), env, timeout])}\n'.encode())

    def wait() -> int:
        with connection:
            return int(connection.recv(16))

    return wait


def _be_the_tool(argv: list[str], cwd: str, env: dict[str, str], streams: Sequence[int], timeout: float) -> NoReturn:
    code = 1
    try:
        signal.alarm(int(timeout))  # Ends the process, and with it the test.
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, 4096)  # What the tests have opened, and a new process would not have.
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, 'r' if n == 0 else 'w', closefd=False) for n in range(3))
        start_anew = _cannot_use_gpu(env)
        os.environ.clear()
        os.environ.update(env)
        os.chdir(cwd)
        if start_anew:
            _become_a_new_process(argv)
        _forget_what_was_set_up()
        _run(argv, list(filter(None, env.get('PYTHONPATH', '').split(os.pathsep))))
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(argv: list[str], path: list[str]) -> None:
    """Run a file, or code after -c, as Python does."""
    if argv[0] == '-c':
        sys.argv, sys.path[0:0] = ['-c', *argv[2:]], ['', *path]
        sys.modules['__main__'] = ModuleType('__main__')
        exec(compile(argv[1], '<string>', 'exec'), vars(sys.modules['__main__']))
    else:
        sys.argv, sys.path[0:0] = argv, [str(Path(argv[0]).parent), *path]
        runpy.run_path(argv[0], run_name='__main__')


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
    hides = env.get('CUDA_VISIBLE_DEVICES') != os.environ.get('CUDA_VISIBLE_DEVICES')
    return torch.cuda._is_in_bad_fork() or hides


def _become_a_new_process(argv: list[str]) -> NoReturn:
    """Start Python anew in this process, with the module path of this one."""
    os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, sys.path))
    os.execv(sys.executable, [sys.executable, *argv])
