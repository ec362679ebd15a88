"""Check the arrays of an evaluation."""

from typing import Any

import numpy as np


def as_mask(base_mask: Any) -> np.ndarray:
    """Return booleans, or zeros and ones, as booleans; as text, 'False' would be true.

    Raises:
        ValueError: If they are anything else.
    """
    mask = np.asarray(base_mask)
    if mask.dtype != bool and mask.size and (mask.dtype.kind not in 'iu' or not np.isin(mask, (0, 1)).all()):
        raise ValueError(f'base_mask must be true or false for each class, or 1 or 0; got {mask.dtype}.')
    return mask.astype(bool)


def whole_numbers(labels: Any) -> np.ndarray:
    """Return labels as int64.

    Raises:
        ValueError: If they are not whole numbers, which a conversion would round.
    """
    labels = np.asarray(labels)
    if labels.size and labels.dtype.kind not in 'iu':
        raise ValueError(f'labels must be whole numbers; got {labels.dtype}.')
    return labels.astype(np.int64)


def check_arrays(
    scores: np.ndarray, labels: np.ndarray, base_mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check scores, labels and base_mask; return them as (N, C) with 32 or 64 bits, (N,) and (C,).

    Raises:
        ValueError: If they are anything else.
    """
    scores, labels, base_mask = np.asarray(scores), whole_numbers(labels), as_mask(base_mask)
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or base_mask.shape != scores.shape[1:]:
        raise ValueError(
            f'scores must be (N, C), labels (N,), base_mask (C,); got {scores.shape}, '
            f'{labels.shape}, {base_mask.shape}.'
        )
    if scores.dtype.kind not in 'biuf':
        raise ValueError(f'scores must be numbers; got {scores.dtype}.')
    if labels.size and not 0 <= labels.min() <= labels.max() < scores.shape[1]:
        raise ValueError(f'labels must be columns 0..{scores.shape[1] - 1}; got {labels.min()}..{labels.max()}.')
    if np.isnan(scores).any():
        raise ValueError(f'NaN in {int(np.isnan(scores).any(axis=1).sum())} of {len(scores)} rows of scores.')
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float32)
    return scores, labels, base_mask
