"""Find features from which nothing can be learned, and very long videos, before anything is trained."""

from collections.abc import Mapping, Sequence

import numpy as np

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.store_format import number_problem
from avzoo.datasets.window import Window
from avzoo.utils.errors import DataError

_MOST_VIDEOS = 256  # Of a store: this many are read quickly.
_SAME = 1e-6  # Relative to the largest value: averaging equal numbers leaves such differences.

_TINY = 1e-10  # PyTorch divides by no norm below 1e-12.


def check_features(
    store: FeatureStore, modalities: Sequence[str], videos: np.ndarray, scale: Mapping[str, float] | None = None
) -> list[str]:
    """Check some videos of a store, evenly spread over the given ones.

    Args:
        store: The store.
        modalities: The modalities used.
        videos: Positions in the store, (N,): the training videos, since test videos are not examined.
        scale: The divisor of the features of each modality, if any.

    Returns:
        A warning for each modality whose features are the same in all videos, or almost zero.

    Raises:
        DataError: If features are not finite numbers of ordinary size; names a video.
    """
    videos = videos[np.unique(np.linspace(0, len(videos) - 1, _MOST_VIDEOS).astype(np.int64))]
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
        elif (largest := np.abs(means).max() / (scale or {}).get(name, 1.0)) < _TINY:
            warnings.append(
                f'{store.root}: the {name} features are at most {largest:.1e}, on average over time, so small that '
                f'normalisation treats them as zero. Set data_preprocessor.scale.{name}, by which they are divided.'
            )
    return warnings


def describe_windows(store: FeatureStore, modalities: Sequence[str], windows: Mapping[str, Window]) -> str:
    """Return a line on how many videos of a store are cut because they are long; empty if none is.

    Args:
        store: The store.
        modalities: The modalities used.
        windows: The windows for long videos only, by loader.
    """
    steps = min((window.steps for window in windows.values()), default=None)
    count = np.any([store.lengths[m] > steps for m in modalities], axis=0).sum() if steps else 0
    places = ', '.join(f'{window.steps} steps in {name} ({window.position})' for name, window in windows.items())
    if not count:
        return ''
    return (
        f'More than {steps} steps: {count:,} of {len(store):,} videos. Time grows with the square of the '
        f'steps, so only a window of such a video is used: {places}. Change it with `dataset.window` of these loaders.'
    )
