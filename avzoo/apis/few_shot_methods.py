"""The methods of a few-shot classifier: which are possible, and which one suits some clips."""

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from avzoo.apis.few_shot_files import METHOD_NAMES
from avzoo.evaluation.linear_fits import Linear, Method, compare, usual_setting
from avzoo.utils.errors import ConfigError, nearest


class Learned(NamedTuple):
    """The method that was chosen, its classifier, and what cross-validation found of each method."""

    method: str
    linear: Linear
    report: dict[str, dict[str, Any]]


def check_method(method: str, base: Any, random_state: Any) -> None:
    """Refuse a method that is unknown or does not go with ``base``, and what is no seed.

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
        raise ConfigError(f'method={method} does not use base: leave it out, or take base_discriminant or auto.')
    try:
        check_random_state(random_state)
    except ValueError as error:
        raise ConfigError(f'random_state={random_state!r} is not possible ({error}).') from error


def learn(
    rows: np.ndarray,
    columns: np.ndarray,
    methods: Mapping[str, Method],
    random_state: Any,
    groups: np.ndarray | None = None,
) -> Learned:
    """Fit the method with the best cross-validation; without one, where a class has a single clip, the first.

    Args:
        rows: (N, D).
        columns: Class of each, (N,).
        methods: By name, the safest first.
        random_state: Of the folds.
        groups: Group of each, (N,), which no fold divides.
    """
    compared = compare(rows, columns, methods, random_state, groups)
    if not compared and groups is not None and (compared := compare(rows, columns, methods, random_state)):
        warnings.warn(
            'all clips of some class are of one group (such as parts of one video): held-out clips are of groups that '
            'were trained on, and their accuracy is too high. Add clips of other videos.',
            stacklevel=4,
        )
    # One clip of a class cannot be held out; class means are the safest then.
    name = compared[0].method if compared else next(iter(methods))
    fit, _ = chosen = methods[name]
    linear = fit(rows, columns, compared[0].setting if compared else usual_setting(chosen))
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
    return Learned(name, linear, report)
