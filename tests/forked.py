"""Run a tool as a command line does, in a process that need not import everything again."""

import logging
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path


def run_tool_file(path: Path, *arguments: object, cwd: Path, timeout: float = 300) -> tuple[int, str, str]:
    """Run a tool's file as ``python FILE ARGUMENTS``; returns exit code, standard output and standard error.

    The process is a copy of this one, so what is imported already costs nothing: a start takes seconds otherwise. Where
    there can be no copy (no fork, or a GPU in use) a new process is started.
    """
    argv = [str(path), *map(str, arguments)]
    if not hasattr(os, 'fork') or _gpu_in_use():
        done = subprocess.run([sys.executable, *argv], cwd=cwd, capture_output=True, text=True, timeout=timeout)
        return done.returncode, done.stdout, done.stderr
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            _be_the_tool(argv, cwd, out.fileno(), err.fileno(), timeout)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return code, texts[0], texts[1]


def _be_the_tool(argv: list[str], cwd: Path, out: int, err: int, timeout: float) -> None:
    code = 1
    try:
        signal.alarm(int(timeout))  # Ends the process, and with it the test.
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, 'w', closefd=False), os.fdopen(2, 'w', closefd=False)
        sys.stdin = open(os.devnull)  # noqa: SIM115
        _forget_what_was_set_up()
        os.chdir(cwd)
        sys.argv, sys.path[0:0] = argv, [str(Path(argv[0]).parent)]
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
