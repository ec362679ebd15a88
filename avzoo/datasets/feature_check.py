"""Find features from which nothing can be learned, before anything is trained."""

from collections.abc import Sequence

import numpy as np

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.store_format import number_problem
from avzoo.utils.errors import DataError

_MOST_VIDEOS = 256  # Of a store: that many are read in a moment.
_SAME = 1e-6  # Of the largest value: differences that are left when equal numbers are averaged.


def check_features(store: FeatureStore, modalities: Sequence[str]) -> list[str]:
    """Look at some videos of a store, evenly spread over it.

    Args:
        store: The store.
        modalities: Those that are used.

    Returns:
        A warning for each modality whose features are the same in all videos.

    Raises:
        DataError: Features are not finite numbers of an ordinary size; names a video.
    """
    videos = np.unique(np.linspace(0, len(store) - 1, _MOST_VIDEOS).astype(np.int64))
    warnings = []
    for name in modalities:
        with np.errstate(over='ignore', invalid='ignore'):
            means = store.temporal_mean(name, videos)
        if number_problem(means):
            video, row = next((v, r) for v, r in zip(videos, means, strict=True) if number_problem(r))
            raise DataError(
                f'{store.root}: {number_problem(row)} in the {name} features of video '
                f'{store.video_ids[video].item()!r}. Import the data again '
                '(tools/dataset_converters/), which refuses them.'
            )
        if len(videos) > 1 and np.ptp(means, axis=0).max() <= _SAME * np.abs(means).max():
            what = 'the same' if means.any() else 'zero'
            warnings.append(
                f'{store.root}: the {name} features are {what} in all of {len(videos)} videos, on average over time. '
                f'Nothing can be learned from them: results will be at chance, or rest on other modalities alone. '
                'Extract them again.'
            )
    return warnings
