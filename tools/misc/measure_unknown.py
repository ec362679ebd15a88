"""Measure how FewShotClassifier treats clips from none of its classes, and the effect of a class of other clips.

The classifier is fitted to some classes of a store and predicts clips of others. `unknown found` is the share of these
assigned to the class of other clips, `known lost` the same share for clips of the fitted classes. The AUROC is that of
the largest probability: how often it is larger for a clip of a fitted class than for a clip of another class.

examples:
  python tools/misc/measure_unknown.py data/yt8m_fsl
  python tools/misc/measure_unknown.py data/mine --draws 3 --case 2 10 --case 4 5
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.utils.cli import ToolParser, positive_int, run_tool, show

_CASES = [[4, 5], [4, 20], [10, 5]]  # Classes and clips per class.


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('store', help='a feature store with at least 22 classes more than the largest case')
    parser.add_argument(
        '--case',
        nargs=2,
        type=positive_int,
        action='append',
        metavar=('CLASSES', 'CLIPS'),
        help='number of classes and clips per class; may be repeated (default: 4 5, 4 20, 10 5)',
    )
    parser.add_argument('--draws', type=positive_int, default=8, help='number of draws per case (default: %(default)s)')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.datasets.feature_store import FeatureStore
    from unknown_clips import table

    for line in table(FeatureStore(args.store), args.case or _CASES, args.draws):
        show(line)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
