"""How many clips does a few-shot classifier need? Fit it to some clips of your features, and test it on the others.

For each number of classes and of clips per class, classes and clips are drawn several times; FewShotClassifier is
fitted to them and tested on all other clips of these classes. The table shows, in per cent,
  accuracy                          the share of the other clips that are classified correctly
  cross-validation minus accuracy   how much the classifier's own estimate exceeds it, paired by draw
both as the mean of the draws with its 95% interval (Student's t); and how often each method was chosen. Clips of one
group, such as parts of one video, are never used for both fitting and testing; a feature store has no groups. Draws are
nested if all classes have enough clips: a draw with more clips or classes contains the one with fewer.

examples:
  python tools/analysis_tools/learning_curve.py data/mine
  python tools/analysis_tools/learning_curve.py features --classes 4 8 --shots 1 5 10 --out curve.json
  python tools/analysis_tools/learning_curve.py my_features.h5 --labels clips.csv --draws 20
"""

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from avzoo.utils.cli import ToolParser, natural_int, positive_int, run_tool, show
from avzoo.utils.errors import DataError
from avzoo.utils.files import atomic_write_text, check_out
from avzoo.utils.launch_arguments import say
from avzoo.utils.printable import printable
from avzoo.version import __version__


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('store', metavar='STORE', help='a feature store, or the output of tools/extract_features.py; see also --labels')
    add('--labels', metavar='TABLE', help='video and label of each clip; STORE then holds features of your own')
    add('--classes', nargs='+', type=positive_int, metavar='N', help='numbers of classes (default: all)')
    text = 'numbers of clips per class (default: 1 2 5 20)'
    add('--shots', nargs='+', type=positive_int, default=[1, 2, 5, 20], metavar='N', help=text)
    add('--draws', type=positive_int, default=8, help='draws of classes and clips (default: %(default)s)')
    add('--seed', type=natural_int, default=0, help='seed of the draws (default: %(default)s)')
    add(
        '--method',
        choices=['auto', 'prototypes', 'logistic_regression', 'discriminant'],
        default='auto',
        help='classification method (default: %(default)s, chosen by cross-validation)',
    )
    add('--out', type=Path, metavar='FILE', help='write the numbers of all draws to this file as JSON')
    args = parser.parse_args(argv)
    if args.classes and min(args.classes) < 2:
        parser.error('argument --classes: a classifier needs at least two classes')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    if args.out is not None:
        check_out(args.out)
    # Imported here, so that --help and a mistyped option answer at once.
    import numpy as np

    from avzoo.apis.clip_labels import columns_of, group_of_each
    from avzoo.apis.few_shot import FewShotClassifier
    from avzoo.apis.labelled_features import read_labelled_features
    from avzoo.evaluation.learning_curve import curve_table, learning_curve, plan_draws
    from avzoo.utils.progress import progress_of

    clips = read_labelled_features(args.store, labels=args.labels)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: say(f'warning: {printable(message)}')
        names, columns = columns_of(clips.labels, clips.features, clips.videos)
    groups = group_of_each(clips.groups, len(columns))
    groups = np.arange(len(columns)) if groups is None else groups
    plan, skipped = plan_draws(columns, groups, args.classes or [len(names)], args.shots, args.draws, args.seed)
    if not plan:
        raise DataError(
            f'{args.store} has too few clips. Choose fewer classes or shots, or add clips:', details=skipped
        )
    for line in skipped:
        show(f'skipped: {line}', stderr=True)
    with progress_of('draws') as report:
        model = partial(FewShotClassifier, method=args.method)
        cases = learning_curve(clips.features, columns, groups, plan, model, report)
    show(curve_table(cases))
    if args.out is not None:
        facts = dict(store=args.store, method=args.method, seed=args.seed, version=__version__)
        atomic_write_text(args.out, json.dumps(dict(facts, cases=cases), indent=1) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
