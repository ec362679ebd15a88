"""Labelled features at a path: a feature store, a folder of extracted features, or the user's own features."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from avzoo.apis.clip_features import pooled
from avzoo.apis.own_features import read_own_features
from avzoo.datasets.feature_set import FeatureSet
from avzoo.datasets.feature_store import FeatureStore
from avzoo.extraction.extracted_clips import extracted_clips
from avzoo.extraction.extraction_folder import in_one_line
from avzoo.utils.errors import DataError


class LabelledFeatures(NamedTuple):
    """One vector per clip and modality (N, D); classes, names and groups of the clips (N,); the kind of features.

    A clip without a group is on its own; a feature store has no groups.
    """

    features: dict[str, np.ndarray]
    labels: np.ndarray
    videos: Sequence[str]
    groups: list[str] | None
    known: FeatureSet


def read_labelled_features(
    path: str | os.PathLike[str],
    modalities: Collection[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
) -> LabelledFeatures:
    """Read labelled features, and average them over time.

    Args:
        path: A feature store, or a folder written by ``tools/extract_features.py``; with ``labels``, see
            :func:`read_own_features`.
        modalities: Modalities to read from a store; by default all that it has.
        labels: Table of labels, for the user's own features.

    Raises:
        DataError: If it is neither, or is malformed.
    """
    path = Path(path)
    if labels is None and (path / 'store.json').is_file():
        store = FeatureStore(path)
        wanted = [m for m in store.modalities if modalities is None or m in modalities]
        means = {m: store.temporal_mean(m, np.arange(len(store))) for m in wanted}
        names = np.array(store.class_names)[store.labels]
        return LabelledFeatures(means, names, store.video_ids.tolist(), None, store.feature_set)
    if labels is not None:
        clips = read_own_features(path, labels)
    elif (found := extracted_clips(path) if path.is_dir() else None) is not None:
        clips = found
    else:
        if not path.exists():
            raise DataError(f'{path} does not exist. Check the path.')
        raise DataError(
            f'{path} is neither a feature store nor a folder of extracted features. Make the latter from videos with '
            'tools/extract_features.py; features of your own need a table of labels (--labels, where there is one).'
        )
    texts = {m: in_one_line(stamp) for m, stamp in clips.stamps.items()}
    known = FeatureSet(str(path), texts)
    return LabelledFeatures(pooled(clips.features), np.array(clips.labels), clips.videos, clips.groups, known)
