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
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]


def run_tool_file(
    path: Path, *arguments: object, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 300
) -> tuple[int, str, str]:
    """Run a tool's file as ``python FILE ARGUMENTS``; returns exit code, standard output and standard error.

    The process is a copy of this one, so what is imported already costs nothing: a start takes seconds otherwise. Where
    there can be no copy (no fork, or a GPU in use) a new process is started. A tool that trains needs
    :class:`ToolServer`: after a backward pass here, a copy of this process cannot train.
    """
    argv = [str(path), *map(str, arguments)]
    if not hasattr(os, 'fork') or _gpu_in_use():
        return _in_a_new_process(argv, cwd, env, timeout)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            _be_the_tool(argv, cwd, env or {}, out.fileno(), err.fileno(), timeout)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return code, texts[0], texts[1]


def _in_a_new_process(
    argv: list[str], cwd: Path, env: Mapping[str, str] | None, timeout: float
) -> tuple[int, str, str]:
    env = {**os.environ, **(env or {})}
    command = [sys.executable, *argv]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)
    return done.returncode, done.stdout, done.stderr


class ToolServer:
    """A process that has imported everything and trained nothing: tools run in copies of it, even those that train."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(
        self, path: Path, *arguments: object, cwd: Path = REPO, env: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run a tool's file, see :func:`run_tool_file`; in ``env``, PYTHONPATH is heeded too."""
        if not hasattr(os, 'fork'):
            return _in_a_new_process([str(path), *map(str, arguments)], cwd, env, 300)
        if self._process is None:
            command = [sys.executable, '-m', 'tests.forked']
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPO
            )
        request = dict(path=str(path), arguments=list(map(str, arguments)), cwd=str(cwd), env=dict(env or {}))
        print(json.dumps(request), file=self._process.stdin, flush=True)
        code, out, err = json.loads(self._process.stdout.readline())
        return code, out, err

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
    answers = os.fdopen(os.dup(1), 'w')
    for line in sys.stdin:
        request = json.loads(line)
        arguments = request.pop('arguments')
        print(json.dumps(run_tool_file(request.pop('path'), *arguments, **request)), file=answers, flush=True)


def _be_the_tool(argv: list[str], cwd: Path, env: Mapping[str, str], out: int, err: int, timeout: float) -> None:
    code = 1
    try:
        signal.alarm(int(timeout))  # Ends the process, and with it the test.
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, 'w', closefd=False), os.fdopen(2, 'w', closefd=False)
        sys.stdin = open(os.devnull)  # noqa: SIM115
        _forget_what_was_set_up()
        os.environ.update(env)
        os.chdir(cwd)
        more = env.get('PYTHONPATH', '').split(os.pathsep) if env else []
        sys.argv, sys.path[0:0] = argv, [str(Path(argv[0]).parent), *filter(None, more)]
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


def _gpu_in_use() -> bool:
    torch = sys.modules.get('torch')
    return torch is not None and torch.cuda.is_initialized()


if __name__ == '__main__':
    _serve()
