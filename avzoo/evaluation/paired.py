"""The difference between a method and a reference on the same draws and the same videos.

Draws differ more in difficulty than methods do, so methods are ranked by differences within a draw. Two intervals show
how certain a difference is: over the draws of the novel shots (few, each with new shots), and over the test videos
(many, for the shots that were drawn).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from avzoo.evaluation.functional import calibrated_predictions, half_width_95
from avzoo.utils.errors import DataError

PAIRED_METRICS = ('HM', 'FSL', 'AUSUC')
NUM_RESAMPLES = 1000

_Predictions = Mapping[str, np.ndarray]  # For one test, see avzoo.evaluation.predictions.


def paired_difference(
    method_draws: Sequence[Mapping[str, float]], reference_draws: Sequence[Mapping[str, float]], metric: str
) -> dict[str, float | None]:
    """Return the mean difference of a metric within a draw.

    Args:
        method_draws: Metrics of the method, including ``draw``.
        reference_draws: Those of the reference on the same draws, in any order.
        metric: E.g. ``HM``.

    Returns:
        ``mean``, method minus reference, and ``ci95``, the half-width of its 95% interval over draws (Student's t;
        None for a single draw).
    """
    reference = {int(row['draw']): row[metric] for row in reference_draws}
    if sorted(reference) != sorted(int(row['draw']) for row in method_draws):
        raise ValueError(f'the reference was tested on draws {sorted(reference)}, the method on others.')
    differences = [row[metric] - reference[int(row['draw'])] for row in method_draws]
    return dict(mean=float(np.mean(differences)), ci95=half_width_95(differences))


def bootstrap_difference(
    method_draws: Sequence[_Predictions],
    reference_draws: Sequence[_Predictions],
    *,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Return the differences on resampled test videos, at the calibrations that both were tested with.

    The videos of all draws are resampled together, within each class: a video that several draws test, as is the case
    for all base videos, counts equally often in each draw and for both methods. If a resample has no video of a class
    in some draw, the class is left out of that draw's mean.

    Args:
        method_draws: Predictions of the method, one mapping per draw.
        reference_draws: Those of the reference on the same videos, in the same order of draws.
        num_resamples: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        For ``HM`` (of mean B and mean N over the draws) and ``FSL``: ``mean``, method minus reference, and ``low`` and
        ``high``, the 2.5th and 97.5th percentiles.

    Raises:
        DataError: If classes or videos differ.
    """
    pairs = list(zip(method_draws, reference_draws, strict=True))
    base_mask = pairs[0][0]['base_mask']
    for predictions in (*method_draws, *reference_draws):
        check_same_classes(predictions, pairs[0][0])
    recalls = _resampled_recalls(*_joined(pairs), len(base_mask), num_resamples, seed)
    among_all, among_novel = recalls[..., 0], recalls[..., 1]
    b, n = (_mean_recall(among_all[:, group]) for group in (base_mask, ~base_mask))  # (R, 2)
    hm = 2 * b * n / np.maximum(b + n, np.finfo(np.float64).tiny)
    return dict(HM=_interval(hm), FSL=_interval(_mean_recall(among_novel[:, ~base_mask])))


def check_same_classes(one: _Predictions, other: _Predictions) -> None:
    """Raise a DataError for predictions of tests with different classes or base classes."""
    if not all(np.array_equal(one[key], other[key]) for key in ('classes', 'base_mask')):
        raise DataError('the predictions to compare differ in classes or base classes; test both on the same store.')


def _joined(pairs: Sequence[tuple[_Predictions, _Predictions]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge the videos of all draws into one list.

    Returns:
        Class columns (V,); whether a draw tests a video (V, draws); whether the method and the reference are right,
        once among all classes and once among the novel ones (V, draws, 2, 2).
    """
    ids = np.unique(np.concatenate([method['video_id'] for method, _ in pairs]))
    labels = np.empty(len(ids), np.int64)
    tested = np.zeros((len(ids), len(pairs)))
    hits = np.zeros((len(ids), len(pairs), 2, 2))
    for draw, pair in enumerate(pairs):
        places = [np.searchsorted(ids, one['video_id']) for one in pair]
        if not np.array_equal(ids[np.sort(places[0])], np.sort(pair[1]['video_id'])):
            raise DataError('the predictions to compare are for different test videos; test both on the same store.')
        for which, (one, place) in enumerate(zip(pair, places, strict=True)):
            labels[place], tested[place, draw] = one['label'], 1
            for kind, gamma in enumerate((float(one['gamma']), math.inf)):  # Without base classes a novel one wins.
                predicted = calibrated_predictions(one['scores'], one['base_mask'], gamma)
                hits[place, draw, which, kind] = predicted == one['label']
    return labels, tested, hits


def _resampled_recalls(
    labels: np.ndarray, tested: np.ndarray, hits: np.ndarray, num_classes: int, num_resamples: int, seed: int
) -> np.ndarray:
    """Return recalls in per cent, (R, C, draws, 2, 2); NaN if a resample has no video of a class."""
    rng = np.random.default_rng(seed)
    recalls = np.full((num_resamples, num_classes, *hits.shape[1:]), np.nan)
    for column in np.unique(labels):
        videos = np.flatnonzero(labels == column)
        times = rng.multinomial(len(videos), np.full(len(videos), 1 / len(videos)), size=num_resamples)  # (R, videos)
        counts = (times @ tested[videos])[..., None, None]  # (R, draws, 1, 1)
        right = np.tensordot(times, hits[videos], axes=1)
        np.divide(100 * right, counts, out=recalls[:, column], where=counts > 0)
    return recalls


def _mean_recall(recalls: np.ndarray) -> np.ndarray:
    """Average (R, classes, draws, 2) over classes, then over draws, (R, 2)."""
    known = ~np.isnan(recalls)
    means = np.where(known, recalls, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return means.mean(axis=1)


def _interval(values: np.ndarray) -> dict[str, float]:
    """Return mean and 95% interval of the first column minus the second, (R, 2)."""
    differences = values[:, 0] - values[:, 1]
    low, high = np.percentile(differences, [2.5, 97.5])
    return dict(mean=float(differences.mean()), low=float(low), high=float(high))
