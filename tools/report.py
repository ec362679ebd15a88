"""Make a report on finished runs: results, curves, confusions, learning, provenance.

One RUN: everything about it. Several, tested on the same data: how they differ, relative to the first. The page is a
single file that opens without a network. For a paper or a spreadsheet, let FILE end in .tex, .csv or .md: it then holds
the rows of the results.

Exit code 3: some of several runs cannot be read and are reported; the page covers the others.

examples:
  python tools/report.py work_dirs/first -o report.html --with-model
  python tools/report.py work_dirs/avgauss work_dirs/avdiff work_dirs/tcaf -o comparison.html
  python tools/report.py work_dirs/avgauss work_dirs/avdiff -o table.tex
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from avzoo.utils.cli import ToolParser, natural_int, print_error, run_tool, show
from avzoo.utils.errors import DataError


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('runs', metavar='RUN', nargs='+', help='work directory of a finished run')
    add('-o', '--out', default='report.html', metavar='FILE', help='.html, .md, .csv or .tex (default: %(default)s)')
    add(
        '--with-model',
        action='store_true',
        help='for one RUN: also draw features and attention; needs its model, its features and its config.py, which '
        'is executed',
    )
    add('--draw', type=natural_int, nargs='+', metavar='N', help='draws for --with-model (default: the first)')
    add('--data-root', metavar='STORE', help='the features for --with-model, if they have moved')
    args = parser.parse_args(argv)
    if args.with_model and len(args.runs) > 1:
        parser.error('argument --with-model: only allowed with one RUN')
    for option in ('draw', 'data_root'):
        if getattr(args, option) and not args.with_model:
            parser.error(f'argument --{option.replace("_", "-")}: only allowed with --with-model')
    if Path(args.out).suffix not in ('.html', '.md', '.csv', '.tex'):
        parser.error(f'argument -o/--out: {args.out!r} must end in .html, .md, .csv or .tex')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.report.report import write_report

    bad: list[DataError] = []
    options = dict(with_model=args.with_model, model_draws=args.draw, data_root=args.data_root)
    show(f'Written to {write_report(args.runs, args.out, on_bad=bad.append, **options)}')
    for error in bad:
        print_error(error)
    return 3 if bad else 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
