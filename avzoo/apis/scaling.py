"""Bring the features of all modalities to one scale."""

from collections.abc import Mapping

import numpy as np

from avzoo.evaluation.reference_features import unit
from avzoo.utils.errors import DataError

_LEAST_SHARE = 1e-6  # Deviation of a dimension that varies, over its mean: rounding is less.
_LEAST = 1e-36  # What varies less is too small for the weights of a file.
Arrays = Mapping[str, np.ndarray]


def moments(features: Arrays) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return what few clips say of their features (N, D) by modality: means, and scales that are not their deviations.

    Of few examples a deviation is hardly known, and a dimension that happens to vary little, or not at all, would drown
    the others in a new clip. So a scale is the root mean square of the deviation of its dimension and of the median
    deviation, over those dimensions of the modality that vary; 1 where none does.
    """
    centre = {m: rows.mean(axis=0, dtype=np.float64) for m, rows in features.items()}
    scale = {m: _scale(rows.std(axis=0, dtype=np.float64), centre[m]) for m, rows in features.items()}
    return {m: rows.astype(np.float32) for m, rows in centre.items()}, scale


def check_varies(features: Arrays) -> None:
    """Refuse clips that are all the same.

    Raises:
        DataError: If no feature varies.
    """
    if not any(_varies(rows.std(axis=0, dtype=np.float64), rows.mean(axis=0)).any() for rows in features.values()):
        raise DataError('all clips have the same features, so nothing can be learned from them. Extract them again.')


def standardised(features: Arrays, centre: Arrays, scale: Arrays) -> np.ndarray:
    """Return the standardised features of each clip, of length 1 in every modality, side by side."""
    rows = [unit((features[m] - centre[m]) / scale[m]) for m in centre]
    return np.concatenate(rows, axis=1).astype(np.float64)


def _scale(deviation: np.ndarray, centre: np.ndarray) -> np.ndarray:
    varies = _varies(deviation, centre)
    if not varies.any():
        return np.ones(len(deviation), np.float32)
    typical = np.median(deviation[varies])
    return np.sqrt(0.5 * np.square(np.where(varies, deviation, 0.0)) + 0.5 * typical**2).astype(np.float32)


def _varies(deviation: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return deviation > np.maximum(_LEAST_SHARE * np.abs(centre), _LEAST)
