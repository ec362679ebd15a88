"""Generalised few-shot metrics on plain arrays: calibrated stacking, B / N / HM / FSL, AUSUC, draws.

Shapes: N samples, C classes. ``scores`` (N, C), larger is better; ``labels`` (N,) column indices;
``base_mask`` (C,), True for base classes. All accuracies are in per cent.

Ties always go to the lowest column: a sample whose scores are all equal is assigned to the first class.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from avzoo.evaluation.checks import check_arrays, whole_numbers
from avzoo.protocol import METRIC_NAMES

DEFAULT_GAMMA_GRID = tuple(round(0.1 * step, 1) for step in range(11))  # paper, sec. 5.1


class _Contest(NamedTuple):
    """The best base class against the best novel class, each (N,): calibration changes nothing else."""

    base_column: np.ndarray
    base_score: np.ndarray
    novel_column: np.ndarray
    novel_score: np.ndarray

    def base_wins(self, gamma: float) -> np.ndarray:
        """Return (N,) bool: whether the base class wins after gamma is subtracted from its score.

        The subtraction is in the precision of the scores, as in the released code. Ties go to the lower column, as in
        an argmax over all columns.
        """
        lowered = self.base_score - self.base_score.dtype.type(gamma)
        tie = (lowered == self.novel_score) & (self.base_column < self.novel_column)
        return (lowered > self.novel_score) | tie

    def margins(self) -> np.ndarray:
        """Return the best base minus the best novel score, (N,): the gamma above which the novel class wins."""
        return self.base_score.astype(np.float64) - self.novel_score


def _best_among(scores: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the best of some columns (C_group,): column indices (N,) and scores (N,).

    Ties go to the lowest column. Without columns the index is -1 and the score minus infinity.
    """
    if not columns.size:
        return np.full(len(scores), -1), np.full(len(scores), -np.inf, dtype=scores.dtype)
    group = scores.take(columns, axis=1)  # (N, C_group); indexing gives the transposed layout, slow to search by rows.
    best = group.argmax(axis=1)
    return columns[best], np.take_along_axis(group, best[:, None], axis=1)[:, 0]


def _contest(scores: np.ndarray, base_mask: np.ndarray) -> _Contest:
    return _Contest(*_best_among(scores, np.flatnonzero(base_mask)), *_best_among(scores, np.flatnonzero(~base_mask)))


def _sample_weights(labels: np.ndarray, base_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (N,), (N,) that turn a sum over correct samples into a mean per-class recall in per cent.

    The first weights base samples and is 0 for novel ones, the second the reverse. Classes without samples are ignored.
    """
    counts = np.bincount(labels, minlength=len(base_mask))  # (C,)
    weights = []
    for group in (base_mask, ~base_mask):
        num_present = max(int((counts[group] > 0).sum()), 1)
        weights.append(np.where(group[labels], 100.0 / (counts[labels] * num_present), 0.0))
    return weights[0], weights[1]


def per_class_recall(predictions: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the share of each class's samples that are predicted as this class.

    Args:
        predictions: Predicted columns (N,), or scores (N, C) whose largest entry is the prediction; ties go to the
            lowest column.
        labels: True columns, (N,).
        num_classes: C.

    Returns:
        Recall in per cent, (C,); NaN for a class without samples.
    """
    predictions, labels = np.asarray(predictions), whole_numbers(labels)
    if predictions.ndim == 2:
        predictions = predictions.argmax(axis=1)
    counts = np.bincount(labels, minlength=num_classes)
    hits = np.bincount(labels[predictions == labels], minlength=num_classes)
    return np.where(counts > 0, 100.0 * hits / np.maximum(counts, 1), np.nan)


def calibrated_predictions(scores: np.ndarray, base_mask: np.ndarray, gamma: float) -> np.ndarray:
    """Predict with calibrated stacking: argmax(score - gamma * [base]) (Chao et al. 2016).

    Ties go to the lowest column. The best base class is found before gamma is subtracted, so that rounding cannot
    reorder the base classes.
    """
    scores = np.asarray(scores)
    scores, _, base_mask = check_arrays(scores, np.zeros(len(scores), dtype=np.int64), base_mask)
    contest = _contest(scores, base_mask)
    return np.where(contest.base_wins(gamma), contest.base_column, contest.novel_column)


def harmonic_mean(b: float, n: float) -> float:
    """Return 2bn / (b + n), and 0 where both are 0."""
    return 2.0 * b * n / (b + n) if b + n > 0 else 0.0


class _Tally:
    """One pass over the scores: the contests, and what each sample adds to B or N if its group wins, (N,) each."""

    def __init__(self, scores: np.ndarray, labels: np.ndarray, base_mask: np.ndarray) -> None:
        scores, labels, base_mask = check_arrays(scores, labels, base_mask)
        self.contest = _contest(scores, base_mask)
        base_weights, novel_weights = _sample_weights(labels, base_mask)
        self.base_hits = base_weights * (self.contest.base_column == labels)
        self.novel_hits = novel_weights * (self.contest.novel_column == labels)
        self._one_group = bool(base_mask.all() or not base_mask.any())

    def accuracies(self, gamma: float) -> dict[str, float]:
        """Return B, N, HM and FSL."""
        wins = self.contest.base_wins(gamma)
        b, n = float(self.base_hits[wins].sum()), float(self.novel_hits[~wins].sum())
        return dict(B=b, N=n, HM=harmonic_mean(b, n), FSL=float(self.novel_hits.sum()))

    def best(self, grid: Sequence[float]) -> tuple[float, dict[str, float]]:
        """Return the gamma with the best HM (the first if tied) and its accuracies."""
        if not len(grid):
            raise ValueError('the grid of gammas is empty; give at least one value.')
        rows = [self.accuracies(gamma) for gamma in grid]
        # Rounded, so that accuracies that differ only by the order of summation are equal.
        best = int(np.argmax([round(row['HM'], 9) for row in rows]))
        return float(grid[best]), rows[best]

    def curve(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the margins and what B loses and N gains at each; see ``accuracy_curve``."""
        margins, step = np.unique(self.contest.margins(), return_inverse=True)
        lost, won = (np.bincount(step, hits, minlength=len(margins)) for hits in (self.base_hits, self.novel_hits))
        return margins, lost, won

    def ausuc(self) -> float:
        """Return the area under the curve, see ``ausuc``."""
        if self._one_group:
            return 0.0
        _, lost, won = self.curve()
        novel = np.concatenate([[0.0], won.cumsum()])  # N before and after each breakpoint
        return min(float((lost * (novel[:-1] + novel[1:])).sum() / 2.0 / 100.0), 100.0)  # But for rounding.


def gfsl_accuracies(scores: np.ndarray, labels: np.ndarray, base_mask: np.ndarray, gamma: float) -> dict[str, float]:
    """Return B, N, HM and FSL at one calibration.

    B and N are mean per-class recalls over the base / novel classes that have samples, predicted among all columns. FSL
    is that of novel samples predicted among novel columns only. A group without samples scores 0.
    """
    return _Tally(scores, labels, base_mask).accuracies(gamma)


def score_margins(scores: np.ndarray, base_mask: np.ndarray) -> np.ndarray:
    """Return the margin of each sample (N,): its best base minus its best novel score."""
    scores, _, base_mask = check_arrays(scores, np.zeros(len(scores), dtype=np.int64), base_mask)
    return _contest(scores, base_mask).margins()


def accuracy_curve(
    scores: np.ndarray, labels: np.ndarray, base_mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the margins at which B and N change, ascending, and what B loses and N gains at each, all (M,).

    The margin of a sample is its best base minus its best novel score: the gamma above which the novel class wins.
    Samples with the same margin change together.
    """
    return _Tally(scores, labels, base_mask).curve()


def ausuc(scores: np.ndarray, labels: np.ndarray, base_mask: np.ndarray) -> float:
    """Return the area under the curve of N over B as gamma runs over all reals, in [0, 100].

    It is exact: the curve changes only where gamma passes the margin of a sample (Chao et al. 2016). Samples with the
    same margin form one straight segment.
    """
    return _Tally(scores, labels, base_mask).ausuc()


def gfsl_metrics(
    scores: np.ndarray,
    labels: np.ndarray,
    base_mask: np.ndarray,
    *,
    gamma: float | Literal['search'] = 'search',
    gamma_grid: Sequence[float] = DEFAULT_GAMMA_GRID,
) -> dict[str, float]:
    """Return every metric of one evaluation: B, N, HM, FSL, AUSUC, gamma and B0.

    B0 is B without calibration, which the base sub-stage uses to choose its epoch.
    """
    tally = _Tally(scores, labels, base_mask)
    gamma, row = tally.best(gamma_grid) if gamma == 'search' else (gamma, tally.accuracies(gamma))
    return dict(row, AUSUC=tally.ausuc(), gamma=float(gamma), B0=tally.accuracies(0.0)['B'])


def half_width_95(values: Sequence[float]) -> float | None:
    """Return the half-width of the 95% interval of the mean (Student's t); None for a single value."""
    if len(values) < 2:
        return None
    return float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))


def aggregate_draws(draws: Sequence[Mapping[str, float]]) -> dict[str, float | int | None]:
    """Combine the draws of the novel shots.

    Args:
        draws: One mapping per draw with B, N, HM, FSL, AUSUC; other keys are ignored.

    Returns:
        Means of B, N, FSL, AUSUC; ``HM`` of mean B and mean N (the paper's number); ``HM_mean``, the mean of the draws'
        HM, with ``ci95``, the half-width of its 95% interval (Student's t; None for a single draw); ``num_draws``.
    """
    if not draws:
        raise ValueError('no draws to combine; give the metrics of at least one.')
    mean = {key: float(np.mean([draw[key] for draw in draws])) for key in METRIC_NAMES}
    return dict(
        mean,
        HM=harmonic_mean(mean['B'], mean['N']),
        HM_mean=mean['HM'],
        ci95=half_width_95([draw['HM'] for draw in draws]),
        num_draws=len(draws),
    )
