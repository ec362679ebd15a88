"""Calibration of scores that have no natural range, such as logits."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from avzoo.evaluation.functional import accuracy_curve, harmonic_mean, score_margins

_MARGIN = 5.0  # In HM. Constant scores, which are right for a few samples, stay below it.


def best_offset(scores: np.ndarray, labels: np.ndarray, base_mask: np.ndarray) -> float:
    """Return the gamma with the best HM among all real numbers, for scores such as logits that have no natural range.

    HM is constant between the margins of two correct samples; the result lies in the middle. Ties go to the lowest
    gamma. If no gamma gives a positive HM, it is 0.
    """
    margins, lost, won = accuracy_curve(scores, labels, base_mask)
    changes = (lost > 0) | (won > 0)
    margins, b, n = margins[changes], lost[changes].sum() - lost[changes].cumsum(), won[changes].cumsum()
    if not (b * n > 0).any():
        return 0.0
    # Between margin i and the next one, the base samples up to i are lost and the novel ones won.
    best = int(np.argmax([round(harmonic_mean(*pair), 9) for pair in zip(b[:-1], n[:-1], strict=True)]))
    return float(margins[best] + margins[best + 1]) / 2


def score_scale(scores: np.ndarray, base_mask: np.ndarray) -> float:
    """Return the scale of logits for which gamma ranges from 0 to 1.

    It is the 95th percentile of the distance between a sample's best base and its best novel score, so that gamma = 1
    changes nearly every decision that a constant can change.
    """
    distances = np.abs(score_margins(scores, base_mask))
    if not len(distances) or not np.isfinite(distances).all():  # Without base or without novel classes.
        return 1.0
    return float(np.quantile(distances, 0.95)) or 1.0


def calibration_warning(metrics: Mapping[str, float], gamma_grid: Sequence[float]) -> str:
    """Return a warning if no gamma of a grid suits the scores; empty if one does.

    This follows from the AUSUC: a falling curve with an area of A (of 1) has a point with B = N of at least
    1 - sqrt(1 - A). If many samples have the same scores, this point may lie between two attainable ones.

    Args:
        metrics: What a search over the grid found.
        gamma_grid: The grid.
    """
    if len(gamma_grid) < 2 or metrics.get('gamma') is None:
        return ''
    possible = 100 * (1 - math.sqrt(max(0.0, 1 - metrics['AUSUC'] / 100)))
    if metrics['HM'] < possible - _MARGIN:
        better = f'given the AUSUC of {metrics["AUSUC"]:.2f}, another should reach at least {possible:.2f}'
    elif metrics['gamma'] >= max(gamma_grid):
        better = 'it is the largest, so a larger one may be better'
    else:
        return ''
    return (
        f'gamma={metrics["gamma"]:g} is the best value of its grid and gives an HM of {metrics["HM"]:.2f}; {better}. '
        "The range of the scores may differ from that of the grid: set curriculum.calibration='offset', or "
        'val_evaluator.gamma_grid.'
    )
