"""Plot the curves of a run: learning, novel against base accuracy, calibration of its probabilities.

Each plot comes with its data as CSV.

example:
  python tools/analysis_tools/curves.py work_dirs/first -o pictures --format png
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
    from avzoo.report.pictures import learning_pictures, reliability_picture, seen_unseen_picture
    from avzoo.report.save_pictures import save_pictures, tested_run

    run = tested_run(args.run)
    pictures = [seen_unseen_picture(run), *learning_pictures(run)]
    if run.scales:
        pictures.append(reliability_picture(run))
    save_pictures(pictures, args.out, args.format)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
