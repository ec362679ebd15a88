"""Two plain references on time-averaged features: baselines that a method has to beat.

They go through the same store, splits, calibration rule and metric as every method of the zoo: their one setting and
gamma are chosen on the stage-1 validation set and kept for all draws of stage 2.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.gfsl_dataset import stage_classes
from avzoo.evaluation.functional import DEFAULT_GAMMA_GRID, aggregate_draws, gfsl_metrics
from avzoo.protocol import NUM_DRAWS, evaluation_splits, train_splits
from avzoo.utils.errors import ConfigError, DataError, nearest

_MANY_PRODUCTS = 500_000_000  # Multiplications in one pass of the solver from which on threads help.


class _Task(NamedTuple):
    """Training and evaluation features (N, D), their class columns (N,), and which columns (C,) are base."""

    train_features: np.ndarray
    train_labels: np.ndarray
    features: np.ndarray
    labels: np.ndarray
    base_mask: np.ndarray


class _Method(NamedTuple):
    """How to score a task under one setting, the setting's name, and the values that validation chooses from."""

    score: Callable[[_Task, float], np.ndarray]
    setting: str
    values: tuple[float, ...]


def _nearest_class_mean(task: _Task, scale: float) -> np.ndarray:
    """Return the softmax over scale * cosine between a sample and each class mean, (N, C)."""
    means = np.stack(
        [task.train_features[task.train_labels == column].mean(axis=0) for column in range(len(task.base_mask))]
    )  # (C, D)
    logits = scale * _unit(task.features) @ _unit(means).T
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def _logistic_regression(task: _Task, inverse_penalty: float) -> np.ndarray:
    """Return class probabilities of a class-balanced multinomial logistic regression, (N, C)."""
    # Centred, and scaled by one number: with unit-length features the gradients lie below the solver's tolerance, while
    # a scale per dimension would undo the equal weight of the modalities.
    centre = task.train_features.mean(axis=0)
    scale = (task.train_features - centre).std() + np.finfo(np.float32).tiny
    model = LogisticRegression(C=inverse_penalty, class_weight='balanced', max_iter=1000)
    # On small data the threads of BLAS mostly wait for each other: 7 times slower on two busy cores.
    small = task.train_features.size * len(task.base_mask) < _MANY_PRODUCTS
    with threadpool_limits(limits=1 if small else None):
        model.fit((task.train_features - centre) / scale, task.train_labels)
    return model.predict_proba((task.features - centre) / scale)


# With smaller values the softmax is almost uniform, and one step of gamma (0.1) outweighs every difference.
_METHODS = {
    'nearest_class_mean': _Method(_nearest_class_mean, 'scale', (10.0, 30.0, 100.0)),
    'logistic_regression': _Method(_logistic_regression, 'C', (0.01, 0.1, 1.0, 10.0)),
}


def evaluate_references(
    store: FeatureStore,
    num_shots: int,
    *,
    draws: Sequence[int] = range(NUM_DRAWS),
    methods: Sequence[str] = tuple(_METHODS),
    modalities: Sequence[str] | None = None,
    gamma_grid: Sequence[float] = DEFAULT_GAMMA_GRID,
) -> dict[str, dict[str, Any]]:
    """Run the plain references on a feature store.

    Features are the mean over time of each modality, L2-normalised, side by side. `nearest_class_mean` scores by the
    softmax of scaled cosines to the class means; `logistic_regression` is class-balanced (scikit-learn).

    Args:
        store (FeatureStore): Features and splits.
        num_shots (int): K; the store must have its splits.
        draws (Sequence[int]): Which draws of the K novel shots to test.
        methods (Sequence[str]): Which references to run.
        modalities (Sequence[str], optional): Which features to use. Default: all of the store.
        gamma_grid (Sequence[float]): Calibrations that validation chooses from.

    Returns:
        dict: By method: `draws` (a list of dict(draw, B, N, HM, FSL, AUSUC, gamma, B0)), `aggregate` (see
        `aggregate_draws`), `gamma`, `setting` (name and value chosen), `validation` (its metrics).
    """
    unknown = [name for name in methods if name not in _METHODS]
    if unknown:
        raise ValueError(f"unknown reference '{unknown[0]}'; choose from {', '.join(_METHODS)}.")
    modalities = _known_modalities(store, modalities)
    validation = _load_task(store, num_shots, 1, (*train_splits(1), *evaluation_splits('val')), modalities)
    chosen = {name: _choose(_METHODS[name], validation, gamma_grid) for name in methods}
    del validation
    results: dict[str, list[dict[str, float]]] = {name: [] for name in methods}
    for draw in draws:
        splits = (*train_splits(2, draw), *evaluation_splits('test', draw))
        task = _load_task(store, num_shots, 2, splits, modalities)
        for name in methods:
            value, metrics = chosen[name]
            scores = _METHODS[name].score(task, value)
            tested = gfsl_metrics(scores, task.labels, task.base_mask, gamma=metrics['gamma'])
            results[name].append(dict(draw=int(draw), **tested))
    return {
        name: dict(
            draws=results[name],
            aggregate=aggregate_draws(results[name]),
            gamma=metrics['gamma'],
            setting={_METHODS[name].setting: value},
            validation=metrics,
        )
        for name, (value, metrics) in chosen.items()
    }


def _choose(method: _Method, task: _Task, gamma_grid: Sequence[float]) -> tuple[float, dict[str, float]]:
    """Return the setting with the best validation HM, the first of equal ones, and its metrics, gamma among them."""
    rows = [
        gfsl_metrics(method.score(task, value), task.labels, task.base_mask, gamma_grid=gamma_grid)
        for value in method.values
    ]
    best = int(np.argmax([round(row['HM'], 9) for row in rows]))
    return method.values[best], rows[best]


def _load_task(
    store: FeatureStore, num_shots: int, stage: int, splits: tuple[str, str, str, str], modalities: Sequence[str]
) -> _Task:
    """Read the splits (training base and novel, evaluation base and novel) of a stage."""
    class_ids, base_mask = stage_classes(store, num_shots, stage)
    trained, evaluated = (
        np.concatenate([store.split(num_shots, name) for name in pair]) for pair in (splits[:2], splits[2:])
    )
    untrained = np.setdiff1d(class_ids, store.labels[trained])
    unlisted = np.setdiff1d(store.labels[np.concatenate([trained, evaluated])], class_ids)
    if len(untrained) or len(unlisted):
        label = store.class_names[np.concatenate([untrained, unlisted])[0]]
        raise DataError(
            f"store '{store.name}', {num_shots} shots: class '{label}' is in some but not all of the "
            f'splits {", ".join(splits)} and the class list of stage {stage}; fix the split lists.'
        )
    return _Task(
        _features(store, trained, modalities),
        np.searchsorted(class_ids, store.labels[trained]),
        _features(store, evaluated, modalities),
        np.searchsorted(class_ids, store.labels[evaluated]),
        base_mask,
    )


def _features(store: FeatureStore, videos: np.ndarray, modalities: Sequence[str]) -> np.ndarray:
    """Return unit-length temporal means, side by side, (len(videos), sum of widths)."""
    return np.concatenate([_unit(store.temporal_mean(name, videos)) for name in modalities], axis=1)


def _unit(rows: np.ndarray) -> np.ndarray:
    """Scale rows to length 1; rows of zeros stay."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def _known_modalities(store: FeatureStore, modalities: Sequence[str] | None) -> list[str]:
    """Return the modalities to use, refusing any that the store lacks."""
    if modalities is None:
        return list(store.modalities)
    for name in modalities:
        if name not in store.modalities:
            raise ConfigError(
                f"store '{store.name}' has no modality '{name}'.{nearest(name, store.modalities)} "
                f'It has {", ".join(store.modalities)}.'
            )
    if not modalities:
        raise ConfigError(f'no modality to use; choose from {", ".join(store.modalities)}.')
    return list(modalities)
