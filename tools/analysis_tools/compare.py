"""Plot how runs differ: every draw with its interval, base against novel accuracy, accuracy against size.

Each plot comes with its data as CSV.

example:
  python tools/analysis_tools/compare.py work_dirs/avgauss work_dirs/avdiff -o pictures --format png
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.report.picture_arguments import picture_parser
from avzoo.utils.cli import run_tool


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    return picture_parser(__doc__, several=True).parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.report.comparable import check_comparable
    from avzoo.report.comparison import base_novel_picture, cost_picture, draws_picture
    from avzoo.report.run_files import read_run
    from avzoo.report.save_pictures import save_pictures

    runs = [read_run(folder) for folder in args.runs]
    check_comparable(runs)
    pictures = [draws_picture(runs), base_novel_picture(runs), cost_picture(runs)]
    save_pictures([picture for picture in pictures if picture], args.out, args.format)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
