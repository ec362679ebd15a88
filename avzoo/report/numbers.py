"""The numbers behind the plots: curves, confusions, calibration, the hardest videos.

Shapes: N videos, C classes. Predictions are mappings as stored by :mod:`avzoo.evaluation.predictions`.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax

from avzoo.evaluation.functional import accuracy_curve, calibrated_predictions, gfsl_accuracies

_MAX_POINTS = 400  # Of a curve: more would not be visible.

Predictions = Mapping[str, np.ndarray]


class Curve(NamedTuple):
    """B and N in per cent as gamma rises, each (M,)."""

    gamma: np.ndarray
    base: np.ndarray
    novel: np.ndarray


def seen_unseen_curve(predictions: Predictions) -> Curve:
    """Return N over B as gamma runs over all reals (Chao et al. 2016), thinned to at most 400 points."""
    scores, labels, mask = (predictions[key] for key in ('scores', 'label', 'base_mask'))
    margins, lost, won = accuracy_curve(scores, labels, mask)
    base = np.concatenate([[lost.sum()], lost.sum() - lost.cumsum()])
    novel = np.concatenate([[0.0], won.cumsum()])
    gamma = np.concatenate([[-np.inf], margins])
    keep = np.unique(np.linspace(0, len(base) - 1, _MAX_POINTS).round().astype(int))
    return Curve(gamma[keep], base[keep].clip(0), novel[keep])


def chosen_point(predictions: Predictions) -> tuple[float, float]:
    """Return B and N at the gamma that the test used."""
    scores, labels, mask = (predictions[key] for key in ('scores', 'label', 'base_mask'))
    found = gfsl_accuracies(scores, labels, mask, _gamma(predictions))
    return found['B'], found['N']


def confusion(draws: Sequence[Predictions]) -> np.ndarray:
    """Return counts (C, C) of true (rows) and predicted classes (columns), summed over the draws."""
    classes = len(draws[0]['classes'])
    counts = np.zeros(classes * classes, np.int64)
    for draw in draws:
        counts += np.bincount(draw['label'] * classes + calibrated(draw), minlength=classes * classes)
    return counts.reshape(classes, classes)


def tested_columns(draws: Sequence[Predictions]) -> np.ndarray:
    """Return the columns of the classes that have test videos, base classes first, as in the plots."""
    order = np.argsort(~draws[0]['base_mask'], kind='stable')
    return order[class_counts(draws)[order] > 0]


def worst_pairs(counts: np.ndarray, limit: int = 20) -> list[tuple[int, int, int, float]]:
    """Return true class, predicted class, count and share in per cent of the true class; largest share first."""
    share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    np.fill_diagonal(share, 0)
    order = np.argsort(-share, axis=None, kind='stable')[:limit]
    pairs = [divmod(int(place), len(counts)) for place in order]
    return [
        (row, column, int(counts[row, column]), float(share[row, column]))
        for row, column in pairs
        if share[row, column]
    ]


class Reliability(NamedTuple):
    """Ten bins of confidence: how many videos, their mean confidence and accuracy in per cent; NaN where empty."""

    videos: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error in points: the mean gap, weighted by the videos (Guo et al. 2017)."""
        gaps = np.nan_to_num(np.abs(self.confidence - self.accuracy))
        return float((gaps * self.videos).sum() / max(self.videos.sum(), 1))


def reliability(draws: Sequence[Predictions], scales: Sequence[float], num_bins: int = 10) -> Reliability:
    """Compare the probability of the most likely class with how often it is right; gamma is not used.

    Args:
        draws: The predictions of each draw.
        scales: Factors that turn the scores of each into logits; 1 if the model has no such number.
        num_bins: Number of bins of equal width.
    """
    confidence = np.concatenate([probabilities(*one).max(1) for one in zip(draws, scales, strict=True)])
    right = np.concatenate([draw['scores'].argmax(1) == draw['label'] for draw in draws])
    place = np.minimum((confidence * num_bins).astype(int), num_bins - 1)
    count = np.bincount(place, minlength=num_bins)
    sums = [np.bincount(place, weights=values, minlength=num_bins) for values in (confidence, right)]
    with np.errstate(invalid='ignore'):
        return Reliability(count, *(100 * total / np.where(count, count, np.nan) for total in sums))


def probabilities(predictions: Predictions, scale: float = 1.0) -> np.ndarray:
    """Return (N, C): the scores if they are already probabilities, else the softmax of ``scale`` times them."""
    scores = predictions['scores'].astype(np.float64)
    if scores.min() >= 0 and np.allclose(scores.sum(1), 1, atol=1e-3):
        return scores
    return softmax(scale * scores, axis=1)


def calibrated(predictions: Predictions) -> np.ndarray:
    """Return the predicted columns (N,) at the gamma that the test used."""
    return calibrated_predictions(predictions['scores'], predictions['base_mask'], _gamma(predictions))


def hardest_videos(draws: Sequence[Predictions], limit: int = 20) -> list[dict[str, Any]]:
    """Return the videos whose true class is farthest below the predicted one, on average over the draws.

    Each has ``video_id``, ``label``, ``predicted`` (the most frequent wrong column), ``wrong`` and ``tests`` (counts of
    draws), and ``margin``, the mean difference of the calibrated scores.
    """
    margins: defaultdict[str, float] = defaultdict(float)
    wrong, tests = Counter[str](), Counter[str]()
    labels: dict[str, int] = {}
    instead: dict[str, Counter[int]] = {}
    for draw in draws:
        scores = draw['scores'] - _gamma(draw) * draw['base_mask']
        own = np.take_along_axis(scores, draw['label'][:, None], 1)[:, 0]
        for index, predicted in enumerate(calibrated(draw)):
            video = str(draw['video_id'][index])
            tests[video] += 1
            labels[video] = int(draw['label'][index])
            if predicted != draw['label'][index]:
                margins[video] += float(scores[index, predicted] - own[index])
                wrong[video] += 1
                instead.setdefault(video, Counter())[int(predicted)] += 1
    order = sorted(wrong, key=lambda video: (-margins[video] / tests[video], video))[:limit]
    return [
        dict(
            video_id=video,
            label=labels[video],
            predicted=instead[video].most_common(1)[0][0],
            wrong=wrong[video],
            tests=tests[video],
            margin=margins[video] / tests[video],
        )
        for video in order
    ]


def class_counts(draws: Sequence[Predictions]) -> np.ndarray:
    """Return the number of test videos of each class (C,), the mean over the draws."""
    counts = [np.bincount(draw['label'], minlength=len(draw['classes'])) for draw in draws]
    return np.mean(counts, axis=0)


def _gamma(predictions: Predictions) -> float:
    return float(predictions['gamma'])
