"""Labelled clips of other classes: they tell better than a few clips how much clips of one class differ."""

import logging
import os
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from avzoo.apis.clip_features import pooled
from avzoo.apis.clip_labels import as_labels
from avzoo.apis.labelled_features import read_labelled_features
from avzoo.apis.scaling import Arrays
from avzoo.datasets.feature_set import FeatureSet, compare_feature_sets
from avzoo.extraction.extraction_folder import in_one_line
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError

_LOGGER = logging.getLogger(__name__)
_ROUNDING = 1e-6  # Of the largest value.
_ROUNDING_OF_MEANS = 1e-5  # Of the largest value: a store sums many steps in float32.
_TINY = 1e-20
Stamps = Mapping[str, Mapping[str, Any]]


class BaseClips(NamedTuple):
    """One vector for each clip and modality (N, D), and the classes (N,)."""

    features: dict[str, np.ndarray]
    labels: np.ndarray

    def residuals(self, rows: np.ndarray) -> tuple[np.ndarray, int]:
        """Return vectors of the clips (N, D) less the means of their classes, and the number of classes.

        Raises:
            DataError: If the clips of each class are identical.
        """
        names, columns = np.unique(self.labels, return_inverse=True)
        sums = np.zeros((len(names), rows.shape[1]))
        np.add.at(sums, columns, rows)
        residuals = rows - (sums / np.bincount(columns)[:, None])[columns]
        if np.abs(residuals).max() <= _ROUNDING * np.abs(rows).max():
            raise DataError('Within each class, all base clips have the same features. Leave the base out.')
        return residuals, len(names)


def read_base(base: Any, examples: Arrays, stamps: Stamps, taught: Collection[Any]) -> BaseClips:
    """Read base clips; copies of the examples, which may have other labels there, are left out with a warning.

    Args:
        base: Path of a feature store, or of a folder written by ``tools/extract_features.py``; or (features, labels) as
            accepted by ``FewShotClassifier.fit``.
        examples: Features of the examples, (N, D) by modality.
        stamps: What made the features of the examples; empty if unknown.
        taught: Classes of the examples; base clips of these are left out.

    Raises:
        DataError: If their features are not of the same kind as the examples', or no class has two clips.
    """
    widths = {m: rows.shape[1] for m, rows in examples.items()}
    origin = 'the base clips'
    if isinstance(base, str | os.PathLike):
        origin = str(base)
        features, labels, *_, known = read_labelled_features(base, widths)
        given = FeatureSet('the examples', {m: in_one_line(stamp) for m, stamp in stamps.items()})
        if doubt := compare_feature_sets(given, known, widths):
            _LOGGER.warning('%s', doubt)
    else:
        features, labels = _given(base)
    found = {m: features[m].shape[1] for m in widths if m in features}
    if found != widths:
        raise DataError(
            f'{origin}: features have widths {found}, those of the examples {widths}. Give features from the same '
            'extractors, or leave the base out.'
        )
    if labels.shape != (len(features[next(iter(widths))]),):
        raise DataError(f'{origin}: labels have shape {labels.shape}. Give one label per clip.')
    kept = ~np.isin(labels, np.asarray(list(taught)))
    copies = kept & _are_copies(features, examples)
    if copies.any():
        told = number_of(copies.sum(), 'clip has the features of an example', 'clips have the features of examples')
        _LOGGER.warning('%s: %s under another label; left out: they would make held-out clips too easy.', origin, told)
    kept &= ~copies
    labels = labels[kept]
    if not len(labels) or np.unique(labels, return_counts=True)[1].max() < 2:
        raise DataError(f'{origin}: apart from the classes to be learned, no class has two clips. Leave the base out.')
    return BaseClips({m: features[m][kept] for m in widths}, labels)


def _are_copies(base: Arrays, examples: Arrays) -> np.ndarray:
    """Return which base clips equal an example in all modalities, up to rounding, (N,)."""
    near = {m: np.abs(rows).max(axis=0) * _ROUNDING_OF_MEANS for m, rows in examples.items()}
    # Columns of tiny numbers are left out: they would overflow.
    weights = {m: np.divide(1, width, where=width > _TINY, out=np.zeros_like(width)) for m, width in near.items()}
    # Few clips have nearly the same sum; the others need no closer look.
    theirs, ours = (sum(rows[m] @ weights[m] for m in weights) for rows in (base, examples))
    found = np.zeros(len(theirs), bool)
    for row, total in enumerate(ours):
        some = np.flatnonzero(np.abs(theirs - total) <= sum(map(len, weights.values())))
        alike = [(np.abs(base[m][some] - examples[m][row]) <= near[m]).all(axis=1) for m in near]
        found[some[np.logical_and.reduce(alike)]] = True
    return found


def _given(base: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return features and labels."""
    if not isinstance(base, tuple | list) or len(base) != 2:
        raise DataError(f'base must be a path or (features, labels), not {type(base).__name__}.')
    return pooled(base[0]), as_labels(base[1])
