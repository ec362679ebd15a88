"""Bring the features of all modalities to one scale."""

from collections.abc import Mapping

import numpy as np

from avzoo.evaluation.reference_features import unit
from avzoo.utils.errors import DataError

_LEAST_SHARE = 1e-6  # Deviation of a dimension that varies, over its mean: rounding is less.
_LEAST = 1e-36  # What varies less is too small for the weights of a file.
Arrays = Mapping[str, np.ndarray]


def moments(features: Arrays) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the means of features (N, D) by modality, and their deviations, 1 where a dimension is constant.

    Raises:
        DataError: If all are constant.
    """
    centre = {m: rows.mean(axis=0, dtype=np.float64) for m, rows in features.items()}
    scale = {m: rows.std(axis=0, dtype=np.float64) for m, rows in features.items()}
    varies = {m: scale[m] > np.maximum(_LEAST_SHARE * np.abs(centre[m]), _LEAST) for m in features}
    if not any(one.any() for one in varies.values()):
        raise DataError('all clips have the same features, so nothing can be learned from them. Extract them again.')
    return (
        {m: rows.astype(np.float32) for m, rows in centre.items()},
        {m: np.where(varies[m], scale[m], 1.0).astype(np.float32) for m in features},
    )


def standardised(features: Arrays, centre: Arrays, scale: Arrays) -> np.ndarray:
    """Return the standardised features of each clip, of length 1 in every modality, side by side."""
    rows = [unit((features[m] - centre[m]) / scale[m]) for m in centre]
    return np.concatenate(rows, axis=1).astype(np.float64)
