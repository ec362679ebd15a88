"""Bring the features of all modalities to a common scale."""

from collections.abc import Mapping

import numpy as np

from avzoo.evaluation.linear_fits import class_means
from avzoo.evaluation.reference_features import unit
from avzoo.utils.errors import InputError

_LEAST_SHARE = 1e-6  # Least deviation of a dimension that varies, relative to its mean: rounding is less.
_LEAST = 1e-36  # Smaller deviations cannot be stored in a file's weights.
Arrays = Mapping[str, np.ndarray]


def moments(
    features: Arrays, columns: np.ndarray, scale: Arrays | None = None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return centres and scales of features (N, D) by modality, estimated from few clips of few classes.

    Few examples hardly determine a deviation, and a dimension that happens to vary little, or not at all, would
    dominate the others in a new clip. A scale is therefore the root mean square of its dimension's deviation and the
    median deviation, over those dimensions of the modality that vary; 1 if none does.

    Few classes hardly determine a mean either: that of two clips lies half-way between them, wherever the others lie.
    It is shrunk towards zero by the rule of James and Stein (1961, the positive part), with the noise of a mean over
    the classes, in units of the scales. A dimension that does not vary keeps its mean.

    Args:
        features: Features of the clips.
        columns: Their classes, (N,), whole numbers from 0.
        scale: Better-known scales, such as those of many other clips.
    """
    if scale is None:
        scale = {m: _scale(*_mean_and_deviation(rows)) for m, rows in features.items()}
    return {m: _centre(rows, columns, scale[m]) for m, rows in features.items()}, dict(scale)


def check_varies(features: Arrays) -> None:
    """Refuse clips that are all the same.

    Raises:
        InputError: If no feature varies.
    """
    if not any(_varies(*_mean_and_deviation(rows)).any() for rows in features.values()):
        raise InputError('all clips have the same features, so there is nothing to learn. Extract them again.')


def standardised(features: Arrays, centre: Arrays, scale: Arrays) -> np.ndarray:
    """Return the standardised features of each clip, of length 1 in every modality, side by side."""
    rows = [unit((features[m] - centre[m]) / scale[m]) for m in centre]
    return np.concatenate(rows, axis=1).astype(np.float64)


def _mean_and_deviation(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)


def _varies(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    return deviation > np.maximum(_LEAST_SHARE * np.abs(mean), _LEAST)


def _scale(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    varies = _varies(mean, deviation)
    if not varies.any():
        return np.ones(len(deviation), np.float32)
    typical = np.median(deviation[varies])
    return np.sqrt(0.5 * np.square(np.where(varies, deviation, 0.0)) + 0.5 * typical**2).astype(np.float32)


def _centre(rows: np.ndarray, columns: np.ndarray, scale: np.ndarray) -> np.ndarray:
    means = class_means(rows.astype(np.float64), columns)
    mean, varies = means.mean(axis=0), _varies(*_mean_and_deviation(rows))
    known = np.square((mean / scale)[varies]).sum()
    noise = np.square((means.std(axis=0, ddof=1) / scale)[varies]).sum() / len(means)
    kept = max(0.0, 1.0 - noise / known) if known else 0.0
    return np.where(varies, kept * mean, mean).astype(np.float32)
