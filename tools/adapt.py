"""Teach a trained model new classes from K clips each.

The model keeps its base classes; the new classes replace the novel classes that it knew. One full sub-stage is run:
parts are frozen as the config says, and batches of base videos alternate with batches of the new clips. It needs
  - a base model: zoo weights, or a checkpoint of tools/train.py (stage2_base/last.pth, or stage2_full_draw0/...),
  - the training videos of its base classes (--base-store), so that it does not forget them,
  - the new clips (--support): a feature store, whose K-shot split is taken if it has splits, or a folder
      SUPPORT/CLASS NAME/*.npz      one clip each, arrays audio (T, D) and visual (T, D)
      SUPPORT/class_embeddings.npz  of tools/class_vectors.py, with the --text of the base classes' vectors; or
                                    class_embeddings.npy (C, d), rows in the order of SUPPORT/classes.csv (column
                                    label) or of the sorted names

examples:
  python tools/adapt.py configs/avdiff/avdiff_custom_5shot.py work_dirs/mine/stage2_base/last.pth \\
      --support my_classes --shots 5 --base-store data/mine --out work_dirs/taught.pth
  python tools/predict.py configs/avdiff/avdiff_custom_5shot.py work_dirs/taught.pth --features clip.npz
"""

import argparse
import sys
import time
from collections.abc import Sequence

from avzoo.utils.cli import ParserOfIds, natural_int, positive_int, run_tool, show
from avzoo.utils.printable import printable


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ParserOfIds(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('model', metavar='NAME_OR_CONFIG', help='a name of the zoo, or a config file')
    add('checkpoint', metavar='CKPT', nargs='?', help='the base model (default: the weights of the name)')
    add('--support', required=True, metavar='STORE_OR_FOLDER', help='clips of the new classes')
    add('--shots', type=positive_int, required=True, metavar='K', help='clips of each new class')
    add('--out', default='work_dirs/adapted.pth', metavar='FILE', help='file.pth to write (default: %(default)s)')
    add('--base-store', metavar='STORE', help="videos of the base classes (default: the config's data_root)")
    add(
        '--classes',
        nargs='+',
        action='extend',
        metavar='NAME',
        help='only these classes of the support; may be repeated. A name that begins with a dash: --classes=-x',
    )
    add('--draw', type=natural_int, default=0, help='which draw of the K clips (default: %(default)s)')
    add('--epochs', type=positive_int, help='default: as chosen by stage 1 of the base model, else as in the config')
    add('--seed', type=natural_int, help="default: the config's")
    add('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='change config values')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.apis.adapt import adapt
    from avzoo.zoo.build import config_of

    began = time.monotonic()
    done = adapt(
        config_of(args.model, args.cfg_options),
        args.checkpoint,
        support=args.support,
        shots=args.shots,
        out=args.out,
        base_store=args.base_store,
        draw=args.draw,
        classes=args.classes,
        epochs=args.epochs,
        seed=args.seed,
    )
    show(
        f'{done["checkpoint"]}: {len(done["base_classes"])} base classes and, learned in '
        f'{time.monotonic() - began:.0f} s from {args.shots} clips each: {printable("; ".join(done["novel_classes"]))}'
    )
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
