"""What every command-line tool shares: one clear line for bad input, the usual exit codes."""

import argparse
import codecs
import io
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

from avzoo.utils import compat
from avzoo.utils.errors import AvzooError, nearest
from avzoo.utils.host_errors import host_error
from avzoo.utils.printable import printable
from avzoo.utils.stop_signals import Stopped, stopping_cleanly

# Non-ASCII characters of the tables, and their replacements.
_PLAIN = {'±': '+-', 'Δ': 'D', 'γ': 'gamma', '…': '...', '–': '-', '’': "'"}
_LONGEST_LINE = 1600  # Characters of an error.
_Number = TypeVar('_Number', int, float)
# Converts tool names (`tools/train.py`) in help and errors; set by the command `avzoo`, which names them differently.
spell_tools: Callable[[str], str] = str


class _Store(argparse.Action):
    """Store the value of an argument; an option with several values adds them when it is repeated."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        before = getattr(namespace, self.dest)
        if option_string and self.nargs in ('+', '*') and before is not self.default:
            values = [*before, *values]
        setattr(namespace, self.dest, values)


class ToolParser(argparse.ArgumentParser):
    """The parser of a tool: help keeps its line breaks, and errors suggest the nearest name for a mistyped option.

    ``--x a --x b`` is ``--x a b`` if the option accepts several values.

    Args:
        description: The docstring of the tool.
        settings: Further arguments of :class:`argparse.ArgumentParser`.
    """

    def __init__(self, description: str | None = None, **settings: Any) -> None:
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter, **settings)
        self.register('action', None, _Store)
        self._given: list[str] = []

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._given = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def format_help(self) -> str:
        return spell_tools(super().format_help())

    def error(self, message: str) -> NoReturn:
        options = self._option_string_actions
        given = (re.match(r'--[a-z][\w-]*', argument) for argument in self._given)
        unknown = [name[0] for name in given if name and not any(option.startswith(name[0]) for option in options)]
        if unknown and message.startswith('the following arguments are required'):
            message += f'. {unknown[0]} is unknown.{nearest(unknown[0], options)}'
        elif unknown and message.startswith('unrecognized arguments'):
            message += f'.{nearest(unknown[0], options)}'
        super().error(message)


class ParserOfIds(ToolParser):
    """The parser of a tool whose arguments include ids or names, which may begin with a dash."""

    def error(self, message: str) -> NoReturn:
        wanted = re.match(r'argument (--[a-z-]+)(?:/--[a-z-]+)*: expected at least one argument', message)
        dashed = re.match(r'unrecognized arguments: (-(?!-[a-z])\S+)', message)
        if wanted or dashed:
            option, value = wanted[1] if wanted else '--OPTION', dashed[1] if dashed else '-A'
            message += f'; join a value that begins with a dash to its option with =, one at a time: {option}={value}'
        super().error(message)


def run_tool(main: Callable[[Sequence[str] | None], int | None], argv: Sequence[str] | None = None) -> int:
    """Run a tool's ``main(argv)`` and return its exit code.

    Bad input (``AvzooError``) and lack of resources, such as disk space, become one line ``error: ...`` on stderr and
    exit code 2, as in argparse; Ctrl-C gives 130, SIGTERM 143; a closed pipe (``tool | head``) ends quietly. Any other
    exception is a bug and keeps its traceback.

    Examples:
        >>> if __name__ == '__main__':
        ...     sys.exit(run_tool(main))
    """
    logging.raiseExceptions = False  # A log that cannot be written must not stop the work.
    _open_closed_streams()
    try:
        with stopping_cleanly():
            print_anything()
            compat.prepare_process()
            code = main(argv) or 0
            sys.stdout.flush()
            return code
    except Stopped as stop:
        show(stop, stderr=True)
        return stop.exit_code
    except KeyboardInterrupt:
        show('interrupted', stderr=True)
        return 130
    except BrokenPipeError:
        _close_stdout()
        return 141
    except Exception as error:
        text = host_error(error) or (error if isinstance(error, AvzooError) else None)
        if text is None:
            raise
        print_error(text)
        if isinstance(error, OSError) and error.filename is None:  # Perhaps from stdout.
            _close_stdout()
        return 2


def show(text: object, *, stderr: bool = False) -> None:
    """Print a tool's output; quoted text cannot act on the terminal.

    Args:
        text: One or more lines.
        stderr: Print to stderr, to keep stdout for the result.
    """
    print(printable(text, lines=True), file=sys.stderr if stderr else sys.stdout, flush=True)


def print_error(error: AvzooError | str) -> None:
    """Print an error to stderr as one line, with its details below; quoted text cannot start a new line."""
    lines = error.lines if isinstance(error, AvzooError) else (error,)
    show('error: ' + '\n  '.join(map(_one_line, lines)), stderr=True)


def _one_line(text: str) -> str:
    """Join the lines of a text, and shorten it in the middle if it is too long: the cure is at the end."""
    text = spell_tools(printable(' '.join(map(str.strip, text.split('\n')))))
    return text if len(text) <= _LONGEST_LINE else f'{text[: _LONGEST_LINE // 2]} ... {text[-_LONGEST_LINE // 4 :]}'


def _open_closed_streams() -> None:
    """Open closed streams (``tool >&-``) on the null device: another file could get their numbers, and the output."""
    for name, mode in (('stdin', 'r'), ('stdout', 'w'), ('stderr', 'w')):  # In this order each gets its own number.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding='utf-8'))  # noqa: SIM115


def print_anything() -> None:
    """Replace characters that the terminal cannot show, instead of failing."""
    codecs.register_error('avzoo_plain', _in_plain_letters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ('strict', 'backslashreplace'):
            stream.reconfigure(errors='avzoo_plain')


def _in_plain_letters(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeEncodeError) and (plain := _PLAIN.get(error.object[error.start])):
        return plain, error.start + 1
    return codecs.backslashreplace_errors(error)


def _close_stdout() -> None:
    """Send the interpreter's last flush of stdout, at exit, to the null device."""
    with suppress(OSError, ValueError):  # Not every stdout is a file, e.g. in a notebook.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def positive_int(text: str) -> int:
    """Parse a whole number of at least 1, for argparse."""
    return _parse(text, int, lambda value: value >= 1, 'a whole number of at least 1')


def natural_int(text: str) -> int:
    """Parse a whole number of at least 0, for argparse."""
    return _parse(text, int, lambda value: value >= 0, 'a whole number of at least 0')


def positive_float(text: str) -> float:
    """Parse a finite number above 0, for argparse."""
    return _parse(text, float, lambda value: 0 < value < float('inf'), 'a number above 0')


def _parse(text: str, kind: Callable[[str], _Number], accept: Callable[[_Number], bool], expected: str) -> _Number:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not accept(value):
        raise argparse.ArgumentTypeError(f'{text!r} is not {expected}')
    return value
