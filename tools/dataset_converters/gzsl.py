"""Turn the features of a zero-shot release of the benchmark's data sets into a feature store with k-shot splits.

AVCA-GZSL (C3D and VGGish or SeLaVi features, averaged), TCAF-GZSL (the same over time) and ClipClap-GZSL (CLIP and
CLAP) publish features of VGGSound, UCF and ActivityNet in the same layout. ROOT is the unzipped folder of one data set:

  ROOT/features/SET/{audio,video}/SPLIT/CLASS.h5 or .pkl
  ROOT/features/SET/text/*.npy                            class vectors
  ROOT/class-split/cls_split/stage_*.csv and .txt         lists
  ROOT/class-split/all_class.txt, *_class_names.csv

The few-shot splits are drawn from the lists in cls_split, which give the sizes of Table 1 of AV-DIFF; a list that ROOT
lacks is taken from the folder of that name. The store records which features it holds. Pickles are read as plain data,
and a file that would run code is refused; .h5 files need the package h5py.

example:
  python tools/dataset_converters/gzsl.py downloads/UCF data/ucf_clip --shots 1 5
  python tools/dataset_converters/gzsl.py downloads/UCF data/ucf_selavi --features main_features
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.utils.cli import ToolParser, natural_int, positive_int, run_tool, show


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('root', metavar='ROOT', help='folder of one data set of a release')
    add('out', metavar='OUT', help='feature store to write; an existing store is replaced at the end')
    add('--features', metavar='SET', help='folder below ROOT/features (default: the only one)')
    add('--lists', metavar='NAME', default='cls_split', help='folder below ROOT/class-split (default: %(default)s)')
    add(
        '--feature-set',
        nargs=2,
        metavar=('AUDIO', 'VISUAL'),
        help='kinds of features, recorded in the store (default: recognised by their widths)',
    )
    text = 'training videos per novel class (default: 1 5 10 20)'
    add('--shots', type=positive_int, nargs='+', default=[1, 5, 10, 20], metavar='K', help=text)
    add('--draws', type=positive_int, default=3, help='draws of the stage-2 shots (default: %(default)s)')
    add('--seed', type=natural_int, default=0, help='seed of the draws (default: %(default)s)')
    add('--name', help='name of the data set (default: that of OUT)')
    add(
        '--dtype',
        choices=['float32', 'float16'],
        default='float32',
        help='how features are stored; float16 halves the disk space (default: %(default)s)',
    )
    add('--skip-missing', action='store_true', help='leave out listed videos without features')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.avdiff_release.zero_shot_features import import_zero_shot_features
    from avzoo.importers.report import describe_store
    from avzoo.utils.progress import progress_of

    with progress_of('class files') as on_progress:
        out = import_zero_shot_features(
            args.root,
            args.out,
            features=args.features,
            lists=args.lists,
            feature_set=args.feature_set,
            shots=args.shots,
            draws=args.draws,
            seed=args.seed,
            name=args.name,
            dtype=args.dtype,
            skip_missing=args.skip_missing,
            on_progress=on_progress,
        )
    show(describe_store(out))
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
