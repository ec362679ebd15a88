"""Plot the confusion matrix of a run.

Each plot comes with its data as CSV.

example:
  python tools/analysis_tools/confusion.py work_dirs/first -o pictures --format png
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.report.picture_arguments import picture_parser
from avzoo.utils.cli import run_tool


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    return picture_parser(__doc__).parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.report.pictures import confusion_picture
    from avzoo.report.save_pictures import save_pictures, tested_run

    save_pictures([confusion_picture(tested_run(args.run))], args.out, args.format)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
