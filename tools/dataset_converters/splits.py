"""Draw k-shot splits from the lists of a generalised zero-shot benchmark.

LISTS is a folder of stage_1_train.csv, stage_1_val_seen.csv, stage_1_val_unseen.csv, stage_2_test_seen.csv and
stage_2_test_unseen.csv, with columns filename and label at least (or a folder that has them in cls_split/). A .txt of
the same name restricts a list to the classes that it names. A column group, such as the recording or the talker, is
optional: within a class, videos of one group are never both shots and evaluated on. The shots are then drawn group by
group, and the other videos of these groups are left out.

OUT becomes a folder of {K}shot/{split}.txt. If OUT is a feature store, the splits are added to it.

Printed per K: videos for training in stage 1 (V_B1 base, V_N1 novel), validation (Val_B, Val_N), training in stage 2
(V_B2, V_N2), test (Test_B, Test_N), as in Table 1 of AV-DIFF.

example:
  python tools/dataset_converters/splits.py lists/UCF splits/ucf --shots 1 5 10 20
  python tools/dataset_converters/splits.py lists/mine data/mine --shots 3
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from avzoo.utils.cli import natural_int, positive_int, run_tool
from avzoo.utils.errors import DataError


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('lists', metavar='LISTS', help='folder of zero-shot lists')
    parser.add_argument('out', metavar='OUT', help='folder to write, or a feature store to add the splits to')
    parser.add_argument(
        '--shots',
        type=positive_int,
        nargs='+',
        default=[1, 5, 10, 20],
        metavar='K',
        help='training videos of each novel class (default: 1 5 10 20)',
    )
    parser.add_argument(
        '--draws', type=positive_int, default=3, help='independent draws of the stage-2 shots (default: %(default)s)'
    )
    parser.add_argument('--seed', type=natural_int, default=0, help='of the draws (default: %(default)s)')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.datasets.split_files import add_splits, write_split_folder
    from avzoo.datasets.splits import draw_splits, format_table, read_zero_shot_lists

    lists = read_zero_shot_lists(args.lists)
    splits = {k: draw_splits(lists, k, args.draws, args.seed) for k in sorted(set(args.shots))}
    if (Path(args.out) / 'store.json').is_file():
        if lists.missing:
            raise DataError(f'{lists.folder} lacks {lists.missing[0]}.csv; the splits of a store must be complete.')
        add_splits(args.out, splits, lists.labels)
    else:
        write_split_folder(args.out, splits)
    print(format_table({k: {name: len(ids) for name, ids in one.items()} for k, one in splits.items()}))
    if lists.missing:
        print(
            f'note: {lists.folder} lacks {", ".join(f"{name}.csv" for name in lists.missing)}: the splits that need '
            'it were not written (- above).',
            file=sys.stderr,
        )
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
