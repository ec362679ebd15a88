"""The command line of the tools that plot runs."""

import argparse

from avzoo.utils.cli import ToolParser


def picture_parser(text: str | None, *, several: bool = False) -> argparse.ArgumentParser:
    """Return the parser of such a tool; ``text`` is its help text."""
    parser = ToolParser(text)
    add = parser.add_argument
    if several:
        add('runs', metavar='RUN', nargs='+', help='the --work-dir of a finished training run')
    else:
        add('run', metavar='RUN', help='the --work-dir of a finished training run')
    add('-o', '--out', default='pictures', metavar='FOLDER', help='where to write (default: %(default)s)')
    add('--format', choices=('svg', 'png', 'pdf'), default='svg', help='file format (default: %(default)s)')
    return parser
