"""The command line of the tools that write pictures of runs."""

import argparse

from avzoo.utils.cli import ToolParser


def picture_parser(text: str | None, *, several: bool = False) -> argparse.ArgumentParser:
    """Return the parser of such a tool; ``text`` is what its help says."""
    parser = ToolParser(text)
    add = parser.add_argument
    if several:
        add('runs', metavar='RUN', nargs='+', help='the --work-dir of a finished training')
    else:
        add('run', metavar='RUN', help='the --work-dir of a finished training')
    add('-o', '--out', default='pictures', metavar='FOLDER', help='where to write (default: %(default)s)')
    add('--format', choices=('svg', 'png', 'pdf'), default='svg', help='kind of the pictures (default: %(default)s)')
    return parser
