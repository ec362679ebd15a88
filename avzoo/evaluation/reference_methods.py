"""How the plain references score a task, and the settings that each leaves to validation."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from avzoo.evaluation.linear_fits import class_means
from avzoo.evaluation.reference_features import StageVideos, Task, unit
from avzoo.protocol import AUDIO

_MANY_PRODUCTS = 500_000_000  # Multiplications in one pass of the solver above which threads help.


class Method(NamedTuple):
    """A reference.

    Attributes:
        score: Returns the scores (N, C) of a task for one value of the method's own setting.
        grid: The values that validation chooses from, by setting, in the order of the search. Each search starts at
            the first. ``num_bins``, ``scaling`` and ``audio_weight`` belong to the features, the others to ``score``.
        tuned: If true, scores are logits, calibrated by an offset, and settings are searched one after another.
            Otherwise scores are probabilities, calibrated by a gamma of the grid, and all values of the only setting
            are tried.
    """

    score: Callable[..., np.ndarray]
    grid: Mapping[str, tuple[Any, ...]]
    tuned: bool = False

    def run(self, videos: StageVideos, settings: Mapping[str, Any]) -> np.ndarray:
        """Score the evaluation videos of a stage with some settings; others keep the features' defaults."""
        features = {key: value for key, value in settings.items() if key in _FEATURE_GRID}
        own = {key: value for key, value in settings.items() if key not in _FEATURE_GRID}
        return self.score(videos.task(**features), **own)

    def grid_of(self, videos: StageVideos) -> dict[str, tuple[Any, ...]]:
        """Return the grid without the values that make no difference on these videos."""
        longest = max(int(videos.store.lengths[name].max(initial=1)) for name in videos.modalities)
        weighs = AUDIO in videos.modalities and len(videos.modalities) > 1
        return {
            key: tuple(value for value in values if key != 'num_bins' or value <= longest)
            for key, values in self.grid.items()
            if weighs or key != 'audio_weight'
        }


def nearest_class_mean(task: Task, *, scale: float) -> np.ndarray:
    """Return the softmax over scale * cosine between a sample and each class mean, (N, C)."""
    means = class_means(task.train_features, task.train_labels)
    return softmax(scale * unit(task.features) @ unit(means).T, axis=1)


def logistic_regression(task: Task, *, C: float) -> np.ndarray:  # noqa: N803 - its name everywhere
    """Return class probabilities of a class-balanced multinomial logistic regression, (N, C).

    It is fitted to scikit-learn's default tolerance, which may stop it early on hard data; that acts like a stronger
    penalty.
    """
    model, features = _fitted(task, C)
    return model.predict_proba(features)


def centred_cosines(task: Task) -> np.ndarray:
    """Return the cosine between a sample and each class mean, both centred on the training videos' mean, (N, C)."""
    centre = task.train_features.mean(axis=0)
    means = class_means(task.train_features, task.train_labels)
    return (unit(task.features - centre) @ unit(means - centre).T).astype(np.float32)


def regression_logits(task: Task, *, C: float) -> np.ndarray:  # noqa: N803
    """Return the logits of the same regression, (N, C)."""
    model, features = _fitted(task, C)
    logits = model.decision_function(features)
    if logits.ndim == 1:  # For two classes it returns one number, that of the second relative to the first.
        logits = np.stack([-logits / 2, logits / 2], axis=1)
    return logits.astype(np.float32)


def _fitted(task: Task, inverse_penalty: float) -> tuple[LogisticRegression, np.ndarray]:
    """Return the fitted regression, and the evaluation features scaled for it."""
    # Centred, and scaled by one number: with unit-length features the gradients are below the solver's tolerance, while
    # a scale per dimension would undo the weights of the modalities.
    centre = task.train_features.mean(axis=0)
    centred = task.train_features - centre
    scale = centred.std() + np.finfo(np.float32).tiny
    model = LogisticRegression(C=inverse_penalty, class_weight='balanced', max_iter=1000)
    # On small data the threads of BLAS mostly wait for each other: 7 times slower on two busy cores.
    small = task.train_features.size * len(task.base_mask) < _MANY_PRODUCTS
    with threadpool_limits(limits=1 if small else None):
        model.fit(centred / scale, task.train_labels)
    return model, (task.features - centre) / scale


# Pooling matters most, then the scale of each dimension, then that of each modality.
_FEATURE_GRID = {'num_bins': (1, 3, 5, 9), 'scaling': ('unit', 'z_score'), 'audio_weight': (1.0, 0.5, 2.0)}
METHODS = {
    # With smaller scales the softmax is almost uniform, and one step of gamma (0.1) outweighs every difference.
    'nearest_class_mean': Method(nearest_class_mean, {'scale': (10.0, 30.0, 100.0)}),
    'logistic_regression': Method(logistic_regression, {'C': (0.01, 0.1, 1.0, 10.0)}),
    'tuned_nearest_class_mean': Method(centred_cosines, _FEATURE_GRID, tuned=True),
    'tuned_logistic_regression': Method(
        regression_logits, {**_FEATURE_GRID, 'C': (0.1, 0.001, 0.01, 1.0, 10.0)}, tuned=True
    ),
}
