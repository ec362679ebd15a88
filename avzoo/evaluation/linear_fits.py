"""Linear classifiers that need only a few clips per class."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import log_softmax
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedGroupKFold
from sklearn.utils import check_random_state
from threadpoolctl import ThreadpoolController

# Folds and repeats of the comparison of methods.
_FOLDS, _REPEATS = 5, 4
# A difference in log loss (nats) that does not count: the softer probabilities are then preferred. For clips that are
# easy to tell apart, the sharpest setting would always win, and be just as sure about clips unlike all of them.
_ALIKE = 0.02
_LEAST_SHRINKAGE = 1e-6
_LIBRARIES = ThreadpoolController()  # Finding them takes longer than a fit.


class Linear(NamedTuple):
    """Logits x @ weight.T + bias of features x (N, D): weight (C, D), bias (C,)."""

    weight: np.ndarray
    bias: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return (N, C)."""
        return features @ self.weight.T + self.bias


def prototypes(features: np.ndarray, labels: np.ndarray, sharpness: Sequence[float]) -> list[Linear]:
    """Return classifiers by cosine similarity to the class means, times each ``sharpness``."""
    means = class_means(features, labels)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return _sharpened(means / np.maximum(lengths, 1e-12), np.zeros(len(means)), sharpness)


def logistic_regression(features: np.ndarray, labels: np.ndarray, strength: Sequence[float]) -> list[Linear]:
    """Return a class-balanced multinomial logistic regression for each ``strength``, scikit-learn's C."""
    scale = 1.0 / max(float(features.std()), 1e-12)  # Small features are below the solver's tolerance.
    with _LIBRARIES.limit(limits=1):
        models = [LogisticRegression(C=one, class_weight='balanced', max_iter=2000) for one in strength]
        fitted = [model.fit(features * scale, labels) for model in models]
    return [_of_all_classes(model.coef_ * scale, model.intercept_) for model in fitted]


def discriminant(features: np.ndarray, labels: np.ndarray, sharpness: Sequence[float]) -> list[Linear]:
    """Return the linear discriminant with a Ledoit-Wolf shrunk covariance, times each ``sharpness``."""
    means = class_means(features, labels)
    residuals = features - means[labels]
    # With single clips only the means are known.
    weight = _divided_by_covariance(means, residuals, len(means)) if residuals.any() else means
    return _sharpened(weight, -0.5 * (weight * means).sum(axis=1), sharpness)


def base_discriminant(residuals: np.ndarray, num_classes: int) -> 'Method':
    """Return the linear discriminant whose covariance is that of base clips within their classes, shrunk as above.

    Args:
        residuals: Base clips minus the means of their classes, (N, D); not all zero.
        num_classes: Number of base classes.
    """
    precision = _divided_by_covariance(np.eye(residuals.shape[1]), residuals, num_classes)

    def fit(features: np.ndarray, labels: np.ndarray, sharpness: Sequence[float]) -> list[Linear]:
        means = class_means(features, labels)
        weight = means @ precision
        return _sharpened(weight, -0.5 * (weight * means).sum(axis=1), sharpness)

    return fit, METHODS['discriminant'][1]


def _sharpened(weight: np.ndarray, bias: np.ndarray, sharpness: Sequence[float]) -> list[Linear]:
    return [Linear(one * weight, one * bias) for one in sharpness]


def class_means(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean of each class, (C, D), from features (N, D) and labels (N,) from 0 to C - 1."""
    return np.stack([features[labels == c].mean(axis=0) for c in range(labels.max() + 1)])


def _divided_by_covariance(rows: np.ndarray, residuals: np.ndarray, num_classes: int) -> np.ndarray:
    """Return rows (C, D) times the inverse of the shrunk covariance of residuals (N, D)."""
    count, width = residuals.shape
    scale = 1.0 / max(1, count - num_classes)
    with _LIBRARIES.limit(limits=1):
        # With fewer clips than features, a system of N equations gives the same result as one of D (Woodbury).
        is_small = count < width
        gram = residuals @ residuals.T if is_small else residuals.T @ residuals
        # The rule may choose no shrinkage if most clips are copies of a few.
        shrinkage = max(ledoit_wolf_shrinkage(residuals, assume_centered=True), _LEAST_SHRINKAGE)
        ridge = shrinkage * scale * float(np.square(residuals).sum()) / width
        inner = (1 - shrinkage) * scale
        system = inner * gram + ridge * np.eye(len(gram))
        if is_small:
            return (rows - inner * np.linalg.solve(system, residuals @ rows.T).T @ residuals) / ridge
        return np.linalg.solve(system, rows.T).T


# Each method leaves one number to validation; the softest comes first. A fit returns a classifier for each.
Fit = Callable[[np.ndarray, np.ndarray, Sequence[float]], list[Linear]]
Method = tuple[Fit, tuple[float, ...]]
METHODS: dict[str, Method] = {
    'prototypes': (prototypes, (10.0, 30.0, 100.0)),
    'logistic_regression': (logistic_regression, (0.01, 0.1, 1.0, 10.0)),
    'discriminant': (discriminant, (0.01, 0.03, 0.1, 0.3, 1.0)),
}


def usual_setting(method: Method) -> float:
    """Return the setting to use when nothing can be validated."""
    return method[1][(len(method[1]) - 1) // 2]


class Compared(NamedTuple):
    """A method and its setting, as validation found them.

    Attributes:
        method: Its name.
        setting: The setting.
        accuracies: Share of correct answers in each fold.
        log_loss: Mean over the folds.
        answers: The most frequent answer for each clip when it was held out, (N,), its own class if tied; -1 for a
            clip that was never held out.
    """

    method: str
    setting: float
    accuracies: tuple[float, ...]
    log_loss: float
    answers: np.ndarray


def compare(
    scaled_by: Callable[[np.ndarray], np.ndarray],
    labels: np.ndarray,
    methods: Mapping[str, Method],
    seed: Any,
    groups: np.ndarray | None = None,
) -> list[Compared]:
    """Return the best setting of each method by cross-validation, best method first.

    Methods are ranked by accuracy, those within one hundredth of the best by log loss. If some class has only one clip,
    or only one group, nothing can be held out: the list is empty.

    Args:
        scaled_by: Returns the features of all clips (N, D), scaled by the clips at the given positions, so that
            held-out clips have no influence.
        labels: (N,), whole numbers from 0.
        methods: By name, such as :data:`METHODS`.
        seed: Seed of the folds.
        groups: Group of each clip (N,), which no fold splits; by default each clip is its own group.
    """
    folds = _folds(labels, seed) if groups is None else _folds_of_groups(labels, groups, seed)
    if not folds:
        return []
    tried: dict[tuple[str, float], list[_Fold]] = {}
    for trained, held_out in folds:
        features = scaled_by(trained)
        for name, (fit, settings) in methods.items():
            for setting, linear in zip(settings, fit(features[trained], labels[trained], settings), strict=True):
                found = _fold(held_out, linear.logits(features[held_out]), labels[held_out])
                tried.setdefault((name, setting), []).append(found)
    each = [_compared(name, setting, found, labels) for (name, setting), found in tried.items()]
    best = [_best_setting([one for one in each if one.method == name]) for name in methods]
    accuracies = {one.method: float(np.mean(one.accuracies)) for one in best}
    highest = max(accuracies.values())
    alike = {name for name, accuracy in accuracies.items() if accuracy >= highest - 0.01}
    return sorted(best, key=lambda one: (-highest if one.method in alike else -accuracies[one.method], one.log_loss))


class _Fold(NamedTuple):
    held_out: np.ndarray
    answers: np.ndarray
    accuracy: float
    log_loss: float


def _fold(held_out: np.ndarray, logits: np.ndarray, labels: np.ndarray) -> _Fold:
    answers = logits.argmax(axis=1)
    loss = -float(log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())
    return _Fold(held_out, answers, float(np.mean(answers == labels)), loss)


def _compared(name: str, setting: float, folds: Sequence[_Fold], labels: np.ndarray) -> Compared:
    votes = np.zeros((len(labels), labels.max() + 1))
    for fold in folds:
        votes[fold.held_out, fold.answers] += 1
    was_held_out = votes.any(axis=1)
    votes[np.arange(len(labels)), labels] += 0.5  # A tie with the right class is not a mistake.
    answers = np.where(was_held_out, votes.argmax(axis=1), -1)
    loss = float(np.mean([fold.log_loss for fold in folds]))
    return Compared(name, setting, tuple(fold.accuracy for fold in folds), loss, answers)


def _best_setting(tried: Sequence[Compared]) -> Compared:
    best = min(one.log_loss for one in tried)
    return next(one for one in tried if one.log_loss <= best + _ALIKE)


def _folds(labels: np.ndarray, seed: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the training and the held-out clips of each fold; no folds if a class has a single clip."""
    smallest = int(np.bincount(labels).min())
    if smallest < 2:
        return []
    splitter = RepeatedStratifiedKFold(n_splits=min(_FOLDS, smallest), n_repeats=_REPEATS, random_state=seed)
    return list(splitter.split(labels, labels))


def _folds_of_groups(labels: np.ndarray, groups: np.ndarray, seed: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return folds that split no group; no folds if all clips of a class are in one."""
    fewest = min(len(np.unique(groups[labels == c])) for c in np.unique(labels))
    if fewest < 2:
        return []
    seeds = check_random_state(seed).randint(2**31, size=_REPEATS)
    splitters = [StratifiedGroupKFold(min(_FOLDS, fewest), shuffle=True, random_state=int(one)) for one in seeds]
    folds = [fold for splitter in splitters for fold in splitter.split(labels, labels, groups)]
    # A fold may hold out all groups of a class.
    return [(trained, held_out) for trained, held_out in folds if set(labels[trained]) == set(labels)]


def _of_all_classes(weight: np.ndarray, bias: np.ndarray) -> Linear:
    """Return one row for each class; with two classes scikit-learn returns only that of the second."""
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return Linear(weight, bias)
