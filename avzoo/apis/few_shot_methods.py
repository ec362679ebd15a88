"""The methods of a few-shot classifier: which ones are possible, and which one suits given clips."""

import warnings
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from avzoo.apis.base_clips import BaseClips
from avzoo.apis.few_shot_files import METHOD_NAMES
from avzoo.apis.scaling import Arrays, moments, standardised
from avzoo.evaluation.linear_fits import METHODS, Linear, Method, base_discriminant, compare, usual_setting
from avzoo.utils.errors import ConfigError, nearest


@dataclass(frozen=True)
class Examples:
    """The clips that a classifier is fitted to.

    Attributes:
        features: (N, D) by modality.
        columns: Class of each clip, (N,).
        groups: Group of each clip, (N,), which is never split between folds, or ``None``.
        base: Clips of other classes.
    """

    features: dict[str, np.ndarray]
    columns: np.ndarray
    groups: np.ndarray | None = None
    base: BaseClips | None = None

    def moments(self, some: np.ndarray) -> tuple[Arrays, Arrays]:
        """Return the centres of the clips at the given positions, and their scales or those of the base clips."""
        scale = None if self.base is None else self._base_moments[1]
        return moments({m: rows[some] for m, rows in self.features.items()}, self.columns[some], scale)

    def scaled_by(self, some: np.ndarray) -> np.ndarray:
        """Return all clips (N, D), scaled by those at the given positions."""
        return standardised(self.features, *self.moments(some))

    def methods(self, name: str) -> dict[str, Method]:
        """Return a method by its name, or all possible ones for ``auto``."""
        found = METHODS if name == 'auto' else {n: one for n, one in METHODS.items() if n == name}
        if self.base is None:
            return dict(found)
        residuals = self.base.residuals(standardised(self.base.features, *self._base_moments))
        return {**found, 'base_discriminant': base_discriminant(*residuals)}

    @cached_property
    def _base_moments(self) -> tuple[Arrays, Arrays]:
        assert self.base is not None
        return moments(self.base.features, np.unique(self.base.labels, return_inverse=True)[1])


class Learned(NamedTuple):
    """The chosen method and its classifier.

    Attributes:
        method: Its name.
        linear: Its classifier of scaled features.
        report: Result of cross-validation for each method.
        answers: The most frequent prediction for each clip when it was held out, (N,), or -1.
    """

    method: str
    linear: Linear
    report: dict[str, dict[str, Any]]
    answers: np.ndarray


def check_method(method: str, base: Any, random_state: Any) -> None:
    """Refuse a method that is unknown or does not go with ``base``, and an invalid seed.

    Raises:
        ConfigError: Says what is possible.
    """
    if method not in ('auto', *METHOD_NAMES):
        raise ConfigError(
            f'method={method!r} is not one of auto, {", ".join(METHOD_NAMES)}.{nearest(method, METHOD_NAMES)}'
        )
    if method == 'base_discriminant' and base is None:
        raise ConfigError('method=base_discriminant needs clips of other classes: give base.')
    if method not in ('auto', 'base_discriminant') and base is not None:
        raise ConfigError(f'method={method} does not use base: leave it out, or choose base_discriminant or auto.')
    try:
        check_random_state(random_state)
    except ValueError as error:
        raise ConfigError(f'random_state={random_state!r} is not a seed ({error}).') from error


def learn(examples: Examples, method: str, random_state: Any) -> Learned:
    """Fit the method that does best in cross-validation; or the first if a class has a single clip, which rules it out.

    Args:
        examples: The clips.
        method: Name of the method, or ``auto``.
        random_state: Seed of the folds.
    """
    columns, methods = examples.columns, examples.methods(method)
    compare_by = partial(compare, examples.scaled_by, columns, methods, random_state)
    compared = compare_by(examples.groups)
    if not compared and examples.groups is not None and (compared := compare_by()):
        warnings.warn(
            'all clips of some class are in one group (such as parts of one video): held-out clips are from groups '
            'that were trained on, so their accuracy is too high. Add clips of other videos.',
            stacklevel=3,
        )
    # The only clip of a class cannot be held out; class means are then the safest.
    name = compared[0].method if compared else next(iter(methods))
    fit, _ = chosen = methods[name]
    setting = compared[0].setting if compared else usual_setting(chosen)
    (linear,) = fit(examples.scaled_by(np.arange(len(columns))), columns, [setting])
    report = {
        one.method: dict(
            accuracy=float(np.mean(one.accuracies)),
            deviation=float(np.std(one.accuracies)),
            folds=len(one.accuracies),
            log_loss=one.log_loss,
            setting=one.setting,
        )
        for one in compared
    }
    answers = compared[0].answers if compared else np.full(len(columns), -1)
    return Learned(name, linear, report, answers)
