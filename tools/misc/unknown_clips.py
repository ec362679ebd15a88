"""How a few-shot classifier treats clips from none of its classes."""

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from avzoo import FewShotClassifier
from avzoo.datasets.feature_store import FeatureStore
from avzoo.evaluation.functional import half_width_95
from avzoo.utils.errors import DataError

_OTHER_CLASSES = 20
_MOST_ASKED = 1000


def table(store: FeatureStore, cases: Sequence[Sequence[int]], draws: int) -> Iterator[str]:
    """Yield the lines of a table, one per case and number of other clips, see :func:`measure`.

    Args:
        store: The store.
        cases: Number of classes, and clips per class.
        draws: Number of draws per case.
    """
    yield '| classes x clips | other clips | accuracy | known lost | unknown found | AUROC |'
    yield '|---|--:|--:|--:|--:|--:|'
    for classes, clips in cases:
        for others in dict.fromkeys((0, clips, _OTHER_CLASSES)):
            found = np.array([measure(store, classes, clips, others, draw) for draw in range(draws)])
            yield f'| {classes} x {clips} | {others or "-"} | ' + ' | '.join(map(_cell, found.T)) + ' |'


def measure(store: FeatureStore, classes: int, clips: int, others: int, draw: int) -> list[float]:
    """Fit a classifier to some classes; return accuracy, known lost, unknown found and AUROC in per cent.

    Args:
        store: The store; its videos are represented by their means over time.
        classes: Number of classes to fit.
        clips: Number of clips per class.
        others: Number of clips from other classes, fitted as one more class; from different classes if possible.
        draw: Seed.

    Raises:
        DataError: If the store has too few classes.
    """
    names = np.unique(store.labels)
    if len(names) < classes + _OTHER_CLASSES + 2:
        raise DataError(
            f'{store.root} has {len(names)} classes, but {classes + _OTHER_CLASSES + 2} are needed to fit {classes}. '
            'Use fewer with --case.'
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
