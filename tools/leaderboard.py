"""Rank finished runs: one table per data set, number of shots and feature set.

PLACE is a work directory, its results.json, or a folder of work directories. Runs that differ only in the seed share
one row. OUT ends in .md for a Markdown page, or in .html for a page with sortable columns.

Exit code 3: some runs are damaged and are reported; the page ranks the others.

example:
  python tools/leaderboard.py work_dirs -o docs/leaderboard.md
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from avzoo.utils.cli import ToolParser, print_error, run_tool, show
from avzoo.utils.errors import DataError


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('places', metavar='PLACE', nargs='+', help='where the runs are')
    add('-o', '--out', default='leaderboard.md', help='page to write, .md or .html (default: %(default)s)')
    args = parser.parse_args(argv)
    if Path(args.out).suffix not in ('.md', '.html'):
        parser.error(f'argument -o/--out: {args.out!r} must end in .md or .html')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.report.leaderboard import find_runs, leaderboard, leaderboard_markdown
    from avzoo.report.page import render
    from avzoo.utils.files import atomic_write_text

    bad: list[DataError] = []
    sections = leaderboard(find_runs(args.places, on_bad=bad.append))
    markdown = Path(args.out).suffix == '.md'
    text = leaderboard_markdown(sections) if markdown else render('Leaderboard', sections)
    show(f'Written to {atomic_write_text(args.out, text)}')
    for error in bad:
        print_error(error)
    return 3 if bad else 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
