"""Measure what FewShotClassifier says of clips of none of its classes, and what a class of other clips changes.

Some classes of a store are taught, other classes are asked about. `unknown found` is the share of these that get the
class of other clips, `known lost` that of clips of the taught classes. The AUROC is of the largest probability: how
often a clip of a taught class has a larger one than a clip of another class.

examples:
  python tools/misc/unknown_clips.py data/yt8m_fsl
  python tools/misc/unknown_clips.py data/mine --draws 3 --case 2 10 --case 4 5
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from avzoo import FewShotClassifier
from avzoo.datasets.feature_store import FeatureStore
from avzoo.evaluation.functional import half_width_95
from avzoo.utils.cli import ToolParser, positive_int, run_tool, show
from avzoo.utils.errors import DataError

_CASES = [[4, 5], [4, 20], [10, 5]]  # Classes and clips of each.
_OTHER_CLASSES = 20
_MOST_ASKED = 1000


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('store', help='a feature store with at least 22 classes more than are taught')
    parser.add_argument(
        '--case',
        nargs=2,
        type=positive_int,
        action='append',
        metavar=('CLASSES', 'CLIPS'),
        help='classes, and clips of each; may be repeated (default: 4 5, 4 20, 10 5)',
    )
    parser.add_argument('--draws', type=positive_int, default=8, help='of classes and clips (default: %(default)s)')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    store = FeatureStore(args.store)
    show('| classes x clips | other clips | accuracy | known lost | unknown found | AUROC |\n|---|--:|--:|--:|--:|--:|')
    for classes, clips in args.case or _CASES:
        for others in dict.fromkeys((0, clips, _OTHER_CLASSES)):
            found = np.array([measure(store, classes, clips, others, draw) for draw in range(args.draws)])
            cells = [_cell(values) for values in found.T]
            show(f'| {classes} x {clips} | {others or "-"} | ' + ' | '.join(cells) + ' |')
    return 0


def measure(store: FeatureStore, classes: int, clips: int, others: int, draw: int) -> list[float]:
    """Teach some classes, and return accuracy, known lost, unknown found and AUROC in per cent.

    Args:
        store: Its videos are known by their means over time.
        classes: Number of classes that are taught.
        clips: Of each.
        others: Clips of other classes that are taught as one class more, each of another class while there are any.
        draw: Seed.

    Raises:
        DataError: If the store has too few classes.
    """
    names = np.unique(store.labels)
    if len(names) < classes + _OTHER_CLASSES + 2:
        raise DataError(
            f'{store.root} has {len(names)} classes; {classes + _OTHER_CLASSES + 2} are needed to teach {classes}. '
            'Name fewer with --case.'
        )
    rng = np.random.default_rng([classes, clips, draw])
    taught, other, unknown = np.split(rng.permutation(names), [classes, classes + _OTHER_CLASSES])
    shots = np.concatenate([_some(rng, store.labels, [c])[:clips] for c in taught])
    asked = np.setdiff1d(_some(rng, store.labels, taught), shots)
    asked, strange = rng.permutation(asked)[:_MOST_ASKED], _some(rng, store.labels, unknown)[:_MOST_ASKED]
    more = np.array([_some(rng, store.labels, [other[i % len(other)]])[0] for i in range(others)], int)
    model = FewShotClassifier().fit(
        _features(store, [*shots, *more]), np.concatenate([store.labels[shots], np.full(others, -1)])
    )
    known, unlike = (model.predict_proba(_features(store, videos)) for videos in (asked, strange))
    answers = model.classes_[known.argmax(axis=1)]
    surest = [p[:, model.classes_ != -1].max(axis=1) for p in (known, unlike)]
    right, lost = np.mean(answers == store.labels[asked]), np.mean(answers == -1)
    auroc = roc_auc_score(np.repeat([1, 0], [len(asked), len(strange)]), np.concatenate(surest))
    return [100 * float(x) for x in (right, lost, np.mean(model.classes_[unlike.argmax(axis=1)] == -1), auroc)]


def _some(rng: np.random.Generator, labels: np.ndarray, classes: Sequence[int] | np.ndarray) -> np.ndarray:
    return rng.permutation(np.flatnonzero(np.isin(labels, classes)))


def _features(store: FeatureStore, videos: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
    return {m: store.temporal_mean(m, np.asarray(videos)) for m in store.modalities}


def _cell(values: np.ndarray) -> str:
    width = half_width_95(values.tolist())
    return f'{values.mean():.1f}' + ('' if width is None else f' ± {width:.1f}')


if __name__ == '__main__':
    sys.exit(run_tool(main))
