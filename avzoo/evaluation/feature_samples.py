"""Real and synthetic features side by side: for a plot, and as numbers by class."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.models.classifiers.av_classifier import AVClassifier

REAL, SHOT, SYNTHETIC = 'real', 'shot', 'synthetic'


class ClassDistances(NamedTuple):
    """How real (held-out) and synthetic features of a class compare; NaN where there are too few.

    Attributes:
        column: The class.
        num_real: Number of real features.
        distance: Squared distance between the synthetic and the real mean.
        spread: Standard deviation of the synthetic features; variances are averaged over dimensions.
        real_spread: The same for the real ones.
    """

    column: int
    num_real: int
    distance: float
    spread: float
    real_spread: float


@dataclass
class FeatureSamples:
    """Features from held-out videos, from the shots and from the generator.

    Attributes:
        x: (N, d) float32, the features.
        labels: (N,) class column of each row.
        base: (N,) bool, whether that is a base class.
        kinds: (N,) ``real``, ``shot`` or ``synthetic``; there is no ``synthetic`` without a generator.
        by_class: A row for each class that has synthetic features.
        classes: Name of each class column.
    """

    x: np.ndarray
    labels: np.ndarray
    base: np.ndarray
    kinds: np.ndarray
    by_class: list[ClassDistances]
    classes: list[str]

    def some(self, most: int) -> 'FeatureSamples':
        """Return at most about this many features, evenly spaced within each kind; every shot is kept."""
        step = max(1, -(-int((self.kinds != SHOT).sum()) // most))
        kept = np.zeros(len(self.x), bool)
        for kind, every in ((REAL, step), (SHOT, 1), (SYNTHETIC, step)):
            kept[np.flatnonzero(self.kinds == kind)[::every]] = True
        arrays = {name: getattr(self, name)[kept] for name in ('x', 'labels', 'base', 'kinds')}
        return replace(self, **arrays)


@torch.no_grad()
def feature_samples(
    model: AVClassifier, held_out: GFSLDataset, shots: GFSLDataset, *, per_class: int = 50, seed: int = 0
) -> FeatureSamples:
    """Compute the features c_o that the head classifies and a generator learns, and generate as many.

    Args:
        model: A model with weights.
        held_out: Videos that were not used for training.
        shots: The training videos of the novel classes.
        per_class: Maximum number of features per class and kind.
        seed: Seed of the generated features.
    """
    model.eval()
    real_x, real_labels = _rows(model, held_out)
    shot_x, shot_labels = _rows(model, shots)
    columns, synthetic = real_labels[:0], real_x[:0]
    if model.generator is not None:
        columns = np.unique(real_labels).repeat(per_class)
        synthetic = _generate(model, columns, seed)
    shown, few = _some(real_labels, per_class), _some(shot_labels, per_class)
    labels = np.concatenate([real_labels[shown], shot_labels[few], columns])
    return FeatureSamples(
        x=np.concatenate([real_x[shown], shot_x[few], synthetic]),
        labels=labels,
        base=np.asarray(held_out.base_mask)[labels],
        kinds=np.repeat([REAL, SHOT, SYNTHETIC], [len(shown), len(few), len(columns)]),
        by_class=[_compare(int(c), real_x[real_labels == c], synthetic[columns == c]) for c in np.unique(columns)],
        classes=list(held_out.metainfo['classes']),
    )


def _rows(model: AVClassifier, dataset: GFSLDataset) -> tuple[np.ndarray, np.ndarray]:
    x, labels = model.generator_data(dataset)
    return x.float().cpu().numpy(), labels.cpu().numpy()


def _generate(model: AVClassifier, columns: np.ndarray, seed: int) -> np.ndarray:
    assert model.generator is not None and model.conditioner is not None
    device = model.gamma.device
    condition = model.conditioner(torch.as_tensor(columns, device=device))
    sampled: Tensor = model.generator.sample(condition, generator=torch.Generator(device).manual_seed(seed))
    return sampled.float().cpu().numpy()


def _some(labels: np.ndarray, per_class: int) -> np.ndarray:
    """Return the positions of at most this many rows of each class, evenly spaced."""
    places = [np.flatnonzero(labels == column) for column in np.unique(labels)]
    chosen = [p[np.unique(np.linspace(0, len(p) - 1, min(per_class, len(p))).astype(int))] for p in places]
    return np.concatenate(chosen)


def _compare(column: int, real: np.ndarray, synthetic: np.ndarray) -> ClassDistances:
    distance = float(np.square(real.mean(0) - synthetic.mean(0)).sum())
    return ClassDistances(column, len(real), distance, _spread(synthetic), _spread(real))


def _spread(x: np.ndarray) -> float:
    return float(np.sqrt(x.var(0, ddof=1).mean())) if len(x) > 1 else float('nan')
