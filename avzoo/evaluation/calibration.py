"""Calibration of scores that have no natural range, such as logits."""

import numpy as np

from avzoo.evaluation.functional import accuracy_curve, harmonic_mean, score_margins


def best_offset(scores: np.ndarray, labels: np.ndarray, base_mask: np.ndarray) -> float:
    """Return the gamma with the best HM among all real numbers, for scores such as logits that have no natural range.

    HM is constant between the margins of two correct samples; the result lies in the middle. Of equal HM the lowest
    wins. Where no gamma gives a positive HM it is 0.
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
    """Return the scale of logits over which gamma runs from 0 to 1.

    It is the 95th percentile of the distance between a sample's best base and its best novel score, so that gamma = 1
    changes nearly every decision that a constant can change.
    """
    distances = np.abs(score_margins(scores, base_mask))
    if not len(distances) or not np.isfinite(distances).all():  # Without base or without novel classes.
        return 1.0
    return float(np.quantile(distances, 0.95)) or 1.0
