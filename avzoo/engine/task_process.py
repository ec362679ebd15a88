"""A process started for one task, and the messages between it and this one: lines of JSON, nothing pickled."""

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from avzoo.config.as_json import from_json
from avzoo.engine.log import run_logger
from avzoo.utils.errors import AvzooError
from avzoo.utils.host_errors import host_error

# A kind of message (log, done, error) and its content, plain values.
Tell = Callable[[str, Any], object]

# The process finds the same modules as this one, and none in the folder in which it is started. Its standard output is
# reserved for messages. PyTorch is imported inside run_tool, which prepares the process for it.
_PROGRAM = """
import sys
sys.path = [one for one in sys.path if one]
import json, os
sys.path, name = json.loads(sys.argv[1]), sys.argv[2]
messages = os.dup(1)
os.dup2(2, 1)
from avzoo.utils.cli import run_tool
def main(argv):
    from importlib import import_module
    import_module(name).main(messages)
sys.exit(run_tool(main))
"""


def command(module: str) -> Sequence[str]:
    """Return the command of a process that calls ``main`` of a module of avzoo, which calls :func:`serve`."""
    return [sys.executable, '-c', _PROGRAM, json.dumps(sys.path), module]


def serve(messages: int, work: Callable[[Any], Any]) -> None:
    """Carry out the task read from standard input, and end early if the other process ends.

    Args:
        messages: File descriptor for the messages, one per line.
        work: Called with the task; returns the result. Both are plain values.
    """
    task = from_json(sys.stdin.readline())
    end_with(sys.stdin.fileno())
    with open(messages, 'w', encoding='ascii') as file:
        carry_out(task, work, lambda kind, what: print(json.dumps([kind, what]), file=file, flush=True))


def carry_out(task: Any, work: Callable[[Any], Any], tell: Tell) -> None:
    """Carry out a task; send what is logged meanwhile, and finally the result, or why it failed."""
    run_logger().handlers = [_Telling(tell)]
    try:
        found = work(task)
    except Exception as error:
        own = str(error) if isinstance(error, AvzooError) else f'{type(error).__name__}: {error}'
        tell('error', host_error(error) or own)
        raise
    tell('done', found)


def end_with(pipe: int) -> None:
    """End this process, as SIGTERM does, when a pipe closes: the process at its other end was killed."""

    def wait() -> None:
        while os.read(pipe, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


class _Telling(logging.Handler):
    """Send the lines of the log as messages."""

    def __init__(self, tell: Tell) -> None:
        super().__init__(logging.INFO)
        self.tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self.tell('log', record.getMessage())
