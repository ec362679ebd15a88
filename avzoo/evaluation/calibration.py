"""Calibration by any real number, for scores such as logits."""

import numpy as np

from avzoo.evaluation.functional import accuracy_curve, harmonic_mean


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
