"""Turn the features released with AV-DIFF into a feature store.

ROOT is the unzipped folder of one data set; it holds `features/K-shot/...` and `class-split/...`.
The files are pickles: they are read as plain data, and a file that would run code is refused.

example:
  python tools/dataset_converters/official.py downloads/UCF data/ucf_fsl
  python tools/dataset_converters/official.py downloads/VGGSound data/vgg_fsl --shots 1 5 --dtype float16
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.utils.cli import ToolParser, positive_int, run_tool, show
from avzoo.zoo.benchmarks import BENCHMARKS

RELEASED = [key for key, benchmark in BENCHMARKS.items() if benchmark.urls]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('root', metavar='ROOT', help='folder of one released data set')
    parser.add_argument('out', metavar='OUT', help='feature store to write; an existing store is replaced at the end')
    parser.add_argument(
        '--shots', type=positive_int, nargs='+', metavar='K', help='values of K to import (default: all in ROOT)'
    )
    text = 'data set (default: recognised by the file of word vectors)'
    parser.add_argument('--dataset', choices=['auto', *RELEASED], default='auto', help=text)
    parser.add_argument(
        '--dtype',
        choices=['float32', 'float16'],
        default='float32',
        help='how features are stored; float16 halves the disk space (default: %(default)s)',
    )
    parser.add_argument(
        '--text-order',
        choices=['name', 'released'],
        default='name',
        help='how word vectors are matched with classes: by name, or as in the released code, which '
        'sorts both and mixes up names that sort differently (default: %(default)s)',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.avdiff_release.features import import_released_features
    from avzoo.importers.report import describe_store
    from avzoo.utils.progress import progress_of

    with progress_of('class files') as on_progress:
        out = import_released_features(
            args.root,
            args.out,
            shots=args.shots,
            dataset=args.dataset,
            dtype=args.dtype,
            text_order=args.text_order,
            on_progress=on_progress,
        )
    show(describe_store(out))
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
