"""How good a classifier becomes with more clips per class, measured on the other clips of the same classes."""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple, Protocol

import numpy as np

from avzoo.datasets.shots import draw_shots
from avzoo.evaluation.functional import half_width_95
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError
from avzoo.utils.progress import counted
from avzoo.utils.tables import Layout, markdown_table


class Classifier(Protocol):
    """The classifier that is measured, such as :class:`avzoo.FewShotClassifier`."""

    method_: str
    report_: Mapping[str, Mapping[str, Any]]

    def fit(self, clips: Any, y: Any, groups: Any) -> Any: ...

    def predict(self, clips: Any) -> np.ndarray: ...


class Draw(NamedTuple):
    """Positions of the clips to fit to, and of those to predict."""

    taught: np.ndarray
    asked: np.ndarray


Plan = dict[tuple[int, int], list[Draw]]  # By number of classes and clips per class.


def draw_clips(columns: np.ndarray, groups: np.ndarray, classes: int, shots: int, seed: Sequence[int]) -> Draw:
    """Draw classes and support clips of each; clips that share a group with a support clip are not predicted.

    With the same seed, a larger number of clips per class, or of classes, includes the smaller one, as long as all
    classes have enough clips and groups.

    Args:
        columns: Class of each clip, (N,), whole numbers from 0.
        groups: Group of each clip, (N,), whole numbers.
        classes: Number of classes.
        shots: Number of clips per class.
        seed: Whole numbers.

    Raises:
        DataError: If there are too few classes or clips.
    """
    of_class = [np.flatnonzero(columns == c) for c in range(columns.max() + 1)]
    most = [len(rows) - np.unique(groups[rows], return_counts=True)[1].min() for rows in of_class]
    possible = [int(c) for c in np.random.default_rng(seed).permutation(len(of_class)) if most[c] >= shots]
    if len(possible) < classes:
        raise DataError(
            f'{classes} x {shots}: {"only " * bool(possible)}{number_of(len(possible), "class has", "classes have")} '
            f'{number_of(shots, "clip")} and one more, from another group, to predict.'
        )
    drawn = []
    for c in possible[:classes]:
        named = {str(row): str(groups[row]) for row in of_class[c]}
        rng = np.random.default_rng([*seed, c + 1])  # Trailing zeros do not change a seed.
        drawn.append(draw_shots(list(named), named, shots, rng, f'class {c}'))
    taught, asked = (np.array([int(row) for rows in some for row in rows]) for some in zip(*drawn, strict=True))
    asked = asked[~np.isin(groups[asked], groups[taught])]  # A group may span several classes.
    if not len(asked):
        raise DataError(f'{classes} x {shots}: all other clips share a group with a support clip.')
    return Draw(taught, asked)


def plan_draws(
    columns: np.ndarray, groups: np.ndarray, classes: Sequence[int], shots: Sequence[int], draws: int, seed: int
) -> tuple[Plan, list[str]]:
    """Return the draws for each combination of classes and shots, and why other combinations are not possible.

    Args:
        columns: See :func:`draw_clips`.
        groups: See :func:`draw_clips`.
        classes: Numbers of classes.
        shots: Numbers of clips per class.
        draws: Number of draws per combination.
        seed: Seed of all draws.
    """
    plan: Plan = {}
    skipped = []
    for case in dict.fromkeys(product(classes, shots)):
        try:
            plan[case] = [draw_clips(columns, groups, *case, (seed, draw)) for draw in range(draws)]
        except DataError as error:
            skipped.append(str(error))
    return plan, skipped


def learning_curve(
    features: Mapping[str, np.ndarray],
    columns: np.ndarray,
    groups: np.ndarray,
    plan: Plan,
    new_classifier: Callable[[], Classifier],
    report: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Fit a classifier to each draw of a plan, and predict other clips.

    Args:
        features: (N, D) by modality.
        columns: See :func:`draw_clips`.
        groups: See :func:`draw_clips`.
        plan: From :func:`plan_draws`.
        new_classifier: Returns a new classifier.
        report: Called with (done, total) draws.

    Returns:
        For each combination ``classes``, ``shots``; ``accuracy``, in per cent of the predicted clips, and
        ``cross_validation_minus_accuracy``, in points, paired by draw, or None where a class has a single clip: each
        with ``mean`` and ``ci95``, the half-width of the 95% interval over the draws (Student's t; None for one draw);
        ``methods``, how often each was chosen; and ``draws``.
    """
    found: dict[tuple[int, int], list[dict[str, Any]]] = {case: [] for case in plan}
    for case, draw in counted([(case, draw) for case, draws in plan.items() for draw in draws], report):
        model = new_classifier()
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # They would be repeated for every draw.
            model.fit(_rows(features, draw.taught), columns[draw.taught], groups[draw.taught])
        right = model.predict(_rows(features, draw.asked)) == columns[draw.asked]
        held_out = model.report_[model.method_]['accuracy'] if model.report_ else None
        found[case].append(
            dict(
                draw=len(found[case]),
                accuracy=100 * float(np.mean(right)),
                cross_validation=None if held_out is None else 100 * held_out,
                method=model.method_,
                asked=len(right),
            )
        )
    return [dict(classes=case[0], shots=case[1], **_summary(rows), draws=rows) for case, rows in found.items()]


def curve_table(cases: Sequence[Mapping[str, Any]], layout: Layout = markdown_table) -> str:
    """Format the results of :func:`learning_curve` as a table."""
    rows = [
        (
            f'{case["classes"]} x {case["shots"]}',
            _cell(case['accuracy'], '.1f'),
            _cell(case['cross_validation_minus_accuracy'], '+.1f'),
            ', '.join(f'{name} {count}' for name, count in case['methods'].items()),
        )
        for case in cases
    ]
    return layout(('classes x clips', 'accuracy', 'cross-validation minus accuracy', 'method'), rows)


def _rows(features: Mapping[str, np.ndarray], some: np.ndarray) -> dict[str, np.ndarray]:
    return {m: rows[some] for m, rows in features.items()}


def _summary(draws: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    above = [one['cross_validation'] - one['accuracy'] for one in draws if one['cross_validation'] is not None]
    return dict(
        accuracy=_mean([one['accuracy'] for one in draws]),
        cross_validation_minus_accuracy=_mean(above) if above else None,
        methods=dict(Counter(one['method'] for one in draws).most_common()),
    )


def _mean(values: Sequence[float]) -> dict[str, float | None]:
    return dict(mean=float(np.mean(values)), ci95=half_width_95(values))


def _cell(value: Mapping[str, float | None] | None, form: str) -> str:
    if value is None:
        return '-'
    return f'{value["mean"]:{form}}' + ('' if value['ci95'] is None else f' ± {value["ci95"]:.1f}')
