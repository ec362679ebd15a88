"""Linear classifiers that need no more than a few clips of each class."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold
from threadpoolctl import threadpool_limits

# Folds and repeats of the comparison of methods.
_FOLDS, _REPEATS = 5, 4


class Linear(NamedTuple):
    """Logits x @ weight.T + bias of features x (N, D): weight (C, D), bias (C,)."""

    weight: np.ndarray
    bias: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return (N, C)."""
        return features @ self.weight.T + self.bias


def prototypes(features: np.ndarray, labels: np.ndarray, sharpness: float) -> Linear:
    """Return the classifier by the cosine to class means, times ``sharpness``."""
    means = np.stack([features[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return Linear(sharpness * means / np.maximum(lengths, 1e-12), np.zeros(len(means)))


def logistic_regression(features: np.ndarray, labels: np.ndarray, strength: float) -> Linear:
    """Return a class-balanced multinomial logistic regression; ``strength`` is scikit-learn's C."""
    scale = 1.0 / max(float(features.std()), 1e-12)  # Small features lie below the solver's tolerance.
    with threadpool_limits(limits=1):
        model = LogisticRegression(C=strength, class_weight='balanced', max_iter=2000).fit(features * scale, labels)
    return _of_all_classes(model.coef_ * scale, model.intercept_)


def discriminant(features: np.ndarray, labels: np.ndarray, sharpness: float) -> Linear:
    """Return the linear discriminant of a covariance shrunk by the rule of Ledoit and Wolf, times ``sharpness``."""
    means = np.stack([features[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
    residuals = features - means[labels]
    covariance = np.eye(features.shape[1])
    if residuals.any():  # Of single clips nothing is known but the means.
        covariance = ledoit_wolf(residuals, assume_centered=True)[0] * (len(labels) / max(1, len(labels) - len(means)))
    with threadpool_limits(limits=1):
        weight = np.linalg.solve(covariance, means.T).T
    return Linear(sharpness * weight, -0.5 * sharpness * (weight * means).sum(axis=1))


Fit = Callable[[np.ndarray, np.ndarray, float], Linear]
# What each method leaves to validation: one number.
METHODS: dict[str, tuple[Fit, tuple[float, ...]]] = {
    'prototypes': (prototypes, (10.0, 30.0, 100.0)),
    'logistic_regression': (logistic_regression, (0.01, 0.1, 1.0, 10.0)),
    'discriminant': (discriminant, (0.1, 0.3, 1.0)),
}


class Compared(NamedTuple):
    """A method and its setting, as validation found them: share of right answers in each fold, mean log loss."""

    method: str
    setting: float
    accuracies: tuple[float, ...]
    log_loss: float


def compare(features: np.ndarray, labels: np.ndarray, methods: tuple[str, ...], seed: int) -> list[Compared]:
    """Return the best setting of each method by cross-validation, best method first.

    Methods are ranked by accuracy, those within one hundredth of the best by log loss. With one clip in some class
    nothing can be held out: the list is empty.

    Args:
        features: (N, D).
        labels: (N,), whole numbers from 0.
        methods: Names in :data:`METHODS`.
        seed: Of the folds.
    """
    smallest = int(np.bincount(labels).min())
    if smallest < 2:
        return []
    splitter = RepeatedStratifiedKFold(n_splits=min(_FOLDS, smallest), n_repeats=_REPEATS, random_state=seed)
    folds = list(splitter.split(features, labels))
    found = [_best_setting(features, labels, method, folds) for method in methods]
    best = max(float(np.mean(one.accuracies)) for one in found)
    return sorted(found, key=lambda one: (np.mean(one.accuracies) < best - 0.01, one.log_loss))


def _best_setting(features: np.ndarray, labels: np.ndarray, method: str, folds: list) -> Compared:
    fit, settings = METHODS[method]
    tried = []
    for setting in settings:
        accuracies, losses = [], []
        for trained, held_out in folds:
            logits = fit(features[trained], labels[trained], setting).logits(features[held_out])
            accuracies.append(float(np.mean(logits.argmax(axis=1) == labels[held_out])))
            losses.append(-float(log_softmax(logits, axis=1)[np.arange(len(held_out)), labels[held_out]].mean()))
        tried.append(Compared(method, setting, tuple(accuracies), float(np.mean(losses))))
    return min(tried, key=lambda one: one.log_loss)


def _of_all_classes(weight: np.ndarray, bias: np.ndarray) -> Linear:
    """Return one row for each class; of two classes scikit-learn gives the second's alone."""
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return Linear(weight, bias)
