"""What every command-line tool does around its work: one clear line for bad input, the usual exit codes."""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from avzoo.utils import compat
from avzoo.utils.errors import AvzooError
from avzoo.utils.printable import printable

# Errors of the machine, not of the program: disk full, no permission.
_HOST_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}
_Number = TypeVar('_Number', int, float)


def run_tool(main: Callable[[Sequence[str] | None], int | None], argv: Sequence[str] | None = None) -> int:
    """Run a tool's ``main(argv)`` and return its exit code.

    Bad input (``AvzooError``) becomes one line ``error: ...`` on stderr and exit code 2, as in argparse; Ctrl-C gives
    130; a closed pipe (``tool | head``) ends quietly; a full or read-only disk is one line too. Any other exception is
    a bug and keeps its traceback.

    Example:
        >>> if __name__ == '__main__':
        ...     sys.exit(run_tool(main))
    """
    try:
        compat.prepare_process()
        return main(argv) or 0
    except AvzooError as error:
        print_error(error)
        return 2
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The interpreter flushes stdout once more at exit; let it do so into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno not in _HOST_ERRORS:
            raise
        print_error(error)
        return 2


def print_error(error: Exception) -> None:
    """Print an error on stderr; whatever it quotes, only its first line begins at the left margin."""
    text = printable(error, lines=True).replace('\n', '\n  ')
    print(f'error: {text}', file=sys.stderr)


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
