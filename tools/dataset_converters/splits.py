"""Draw k-shot splits from the lists of a generalised zero-shot benchmark, or make such lists from one table.

LISTS is a folder of stage_1_train.csv, stage_1_val_seen.csv, stage_1_val_unseen.csv, stage_2_test_seen.csv and
stage_2_test_unseen.csv, with at least the columns filename and label (or a folder with these files in cls_split/). A
.txt of the same name restricts a list to the classes that it names. A column group, such as the recording or the
speaker, is optional: within a class, no group has both shots and evaluation videos. The shots are then drawn group by
group, and the other videos of these groups are left out.

With --novel, LISTS is one table (.csv, .tsv) with columns video and label (and, optionally, group), or a folder with
one folder of files per class. Its classes are divided into base and novel ones, and a tenth of the videos of each known
class is held out for validation and for the test. The five lists are also written to OUT, for features.py --lists OUT.

OUT becomes a folder of {K}shot/{split}.txt. If OUT is a feature store, the splits are added to it.

Printed for each K: videos for training in stage 1 (V_B1 base, V_N1 novel), validation (Val_B, Val_N), training in
stage 2 (V_B2, V_N2), test (Test_B, Test_N), as in Table 1 of AV-DIFF.

example:
  python tools/dataset_converters/splits.py lists/UCF splits/ucf --shots 1 5 10 20
  python tools/dataset_converters/splits.py lists/mine data/mine --shots 3
  python tools/dataset_converters/splits.py clips.csv lists/mine --novel 12 6 --seed 0 --shots 1 5
  python tools/dataset_converters/splits.py clips.csv lists/mine --novel Surfing Diving --novel Rowing --shots 1 5
"""

import argparse
import sys
from collections.abc import Container, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from avzoo.utils.cli import ParserOfIds, natural_int, positive_int, run_tool, show
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError

if TYPE_CHECKING:
    from avzoo.datasets.splits import ZeroShotLists


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ParserOfIds(__doc__)
    parser.add_argument('lists', metavar='LISTS', help='folder of zero-shot lists; with --novel, a table (see above)')
    parser.add_argument('out', metavar='OUT', help='folder to write, or a feature store to add the splits to')
    parser.add_argument(
        '--shots',
        type=positive_int,
        nargs='+',
        default=[1, 5, 10, 20],
        metavar='K',
        help='training videos per novel class (default: 1 5 10 20)',
    )
    parser.add_argument(
        '--draws', type=positive_int, default=3, help='independent draws of the stage-2 shots (default: %(default)s)'
    )
    parser.add_argument('--seed', type=natural_int, default=0, help='seed of the draws (default: %(default)s)')
    parser.add_argument(
        '--novel',
        nargs='+',
        action='append',
        metavar='N|CLASS|FILE',
        help='divide a table. Two numbers: how many new classes to draw for stage 1 and for stage 2. Or give it twice, '
        'each with class names or a file of them, one per line: first those new in stage 1, then those new in stage 2. '
        'Put names that begin with a dash in a file',
    )
    parser.add_argument(
        '--base',
        nargs='+',
        metavar='CLASS|FILE',
        help='base classes of a table (default: all that are not novel). With two numbers: classes not to be drawn',
    )
    args = parser.parse_args(argv)
    if args.base and not args.novel:
        parser.error('--base is only allowed with --novel')
    return args


def divide(args: argparse.Namespace) -> 'ZeroShotLists':
    """Return the lists that a table becomes."""
    from avzoo.importers.class_split import divide_videos, draw_roles, name_roles
    from avzoo.importers.class_table import read_class_table

    table = read_class_table(args.lists)
    base = read_names(args.base, table.classes) if args.base else []
    numbers = args.novel[0] if len(args.novel) == 1 else []
    if len(numbers) == 2 and all(text.isdecimal() for text in numbers):
        roles = draw_roles(table, *map(int, numbers), base=base, seed=args.seed)
    elif len(args.novel) == 2:
        roles = name_roles(table, *(read_names(names, table.classes) for names in args.novel), base=base)
    else:
        raise DataError(
            f'--novel {" ".join(args.novel[0])}: give two numbers (new in stage 1, new in stage 2), or --novel twice, '
            'each with class names or a file of them.'
        )
    show(f'{args.lists}: {number_of(len(roles.base), "base class", "base classes")}')
    for stage, novel in enumerate(roles[1:], 1):
        show(f'new in stage {stage}: {", ".join(map(repr, novel))}')
    return divide_videos(table, roles, shots=max(args.shots), seed=args.seed)


def read_names(given: Sequence[str], classes: Container[str]) -> list[str]:
    """Return names of classes, those of a file if one is given."""
    if len(given) == 1 and given[0] not in classes and Path(given[0]).is_file():
        from avzoo.datasets.store_format import read_lines

        return read_lines(Path(given[0]))
    return list(given)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.datasets.split_files import add_splits, write_split_folder
    from avzoo.datasets.splits import draw_splits, format_table, read_zero_shot_lists
    from avzoo.importers.class_split import write_lists

    lists = divide(args) if args.novel else read_zero_shot_lists(args.lists)
    splits = {k: draw_splits(lists, k, args.draws, args.seed) for k in sorted(set(args.shots))}
    if (Path(args.out) / 'store.json').is_file():
        if lists.missing:
            raise DataError(f'{lists.folder} lacks {lists.missing[0]}.csv; the splits of a store must be complete.')
        add_splits(args.out, splits, lists.labels)
    else:
        write_split_folder(args.out, splits, partial(write_lists, lists=lists) if args.novel else None)
    show(format_table({k: {name: len(ids) for name, ids in one.items()} for k, one in splits.items()}))
    if lists.missing:
        show(
            f'note: {lists.folder} lacks {", ".join(f"{name}.csv" for name in lists.missing)}: the splits that need '
            'it were not written (- above).',
            stderr=True,
        )
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
