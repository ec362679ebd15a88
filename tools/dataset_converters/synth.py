"""Generate the synthetic data set: the structure of UCF-FSL (30 / 12 / 6 classes) in a few megabytes."""

import argparse
import sys
from collections.abc import Sequence

from avzoo.utils.cli import ToolParser, natural_int, run_tool, show

_EPILOG = """example:
  python tools/dataset_converters/synth.py data/synth_fsl
tools/train.py generates data/synth_fsl if it is missing.
"""


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__, epilog=_EPILOG)
    parser.add_argument('out', help='folder to write')
    parser.add_argument('--seed', type=natural_int, default=0, help='random seed (default: %(default)s)')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.importers.synthetic import make_synth

    make_synth(args.out, seed=args.seed)
    show(
        f'Generated {args.out}. Train on it: python tools/train.py configs/avdiff/avdiff_synth_5shot.py '
        f'--cfg-options data_root={args.out}'
    )
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
