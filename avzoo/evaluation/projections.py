"""Features in two dimensions, for plots."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from avzoo.evaluation.feature_samples import REAL, FeatureSamples
from avzoo.utils.errors import ConfigError

_MOST = 3000  # Features whose neighbours are searched for, in half a minute.
_PERPLEXITY = 30.0


class Projection(NamedTuple):
    """Features as points in two dimensions.

    Attributes:
        samples: The features that are shown.
        xy: (N, 2) float32, the point of each.
        axes: Labels of the two axes.
        text: How to read the plot.
    """

    samples: FeatureSamples
    xy: np.ndarray
    axes: tuple[str, str]
    text: str


def project(samples: FeatureSamples, method: str = 'pca', *, seed: int = 0) -> Projection:
    """Return features in two dimensions.

    Args:
        samples: The features.
        method: ``pca`` or ``tsne`` (van der Maaten and Hinton, 2008).
        seed: Seed of t-SNE.

    Raises:
        ConfigError: If there is no such method.
    """
    if method not in PROJECTIONS:
        raise ConfigError(f'There is no projection {method!r}. Choose from {", ".join(PROJECTIONS)}.')
    return PROJECTIONS[method](samples, seed)


def _pca(samples: FeatureSamples, seed: int) -> Projection:
    xy, explained = principal_components(samples.x, samples.x[samples.kinds == REAL])
    first, second = (f'{100 * share:.0f} %' for share in explained)
    text = 'Principal components of the real features of test videos.'
    return Projection(samples, xy, (f'first component ({first})', f'second component ({second})'), text)


def _tsne(samples: FeatureSamples, seed: int) -> Projection:
    from sklearn.manifold import TSNE  # Takes a second to import.

    few = samples.some(_MOST)
    perplexity = min(_PERPLEXITY, max(1.0, (len(few.x) - 1) / 3))
    start = _start(few)
    xy = TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(few.x) if len(few.x) > 2 else start
    text = f't-SNE of all features together, perplexity {perplexity:.0f}. Neighbours are close; large distances and '
    return Projection(few, xy, ('', ''), f'{text}the sizes of groups mean nothing.')


PROJECTIONS: Mapping[str, Callable[[FeatureSamples, int], Projection]] = dict(pca=_pca, tsne=_tsne)


def _start(samples: FeatureSamples) -> np.ndarray:
    """Return where t-SNE starts: the principal components, made small, so that plots of two runs look alike."""
    xy, _ = principal_components(samples.x, samples.x[samples.kinds == REAL])
    return (1e-4 * xy / max(float(xy[:, 0].std()), 1e-30)).astype(np.float32)


def principal_components(x: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x (N, d) in the first two principal components of ``real`` (M, d), and their shares of its variance.

    The sign of a component is chosen so that its largest weight is positive.
    """
    mean = real.mean(0, dtype=np.float64)
    _, values, components = np.linalg.svd(real - mean, full_matrices=False)
    axes = np.zeros((2, x.shape[1]))
    axes[: len(components[:2])] = components[:2]
    largest = axes[np.arange(2), np.abs(axes).argmax(1)]
    axes *= np.where(largest < 0, -1.0, 1.0)[:, None]
    variances = np.zeros(2)
    variances[: len(values[:2])] = values[:2] ** 2
    return ((x - mean) @ axes.T).astype(np.float32), variances / max(float((values**2).sum()), 1e-30)
