"""The plots of one run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from avzoo.evaluation.report import reference_title
from avzoo.protocol import METRIC_NAMES
from avzoo.report.figures import BASE, COLOURS, NOVEL, PLAIN, Picture, Table, legend_label, new_figure, styled
from avzoo.report.numbers import Curve, chosen_point, confusion, reliability, seen_unseen_curve, tested_columns
from avzoo.report.run_files import Run
from avzoo.utils.counts import number_of
from avzoo.utils.printable import printable

_LOSS_NAMES = {'loss': 'sum', 'loss_ce': 'classification'}


@styled
def seen_unseen_picture(run: Run) -> Picture:
    """Draw N over B as gamma runs, for each draw and for the strongest plain reference."""
    figure, (axes,) = new_figure(4.6, 4.2)
    picture = Picture(
        'seen_unseen',
        'Novel over base accuracy',
        'Each line is a draw, each point on it one calibration gamma. The dot is the gamma that validation chose. '
        'AUSUC is the area under the line.',
        figure,
        Table(('name', 'draw', 'gamma', 'B', 'N'), []),
    )
    against = (run.results.get('paired') or {}).get('against')
    sets = [(run.results['method'], run.predictions, BASE)]
    if against:
        predictions = run.reference_predictions(against)
        sets.insert(0, (reference_title(against), predictions, PLAIN))
        picture.text += '' if predictions else f' The predictions of {reference_title(against)} are missing.'
    for name, predictions, colour in sets:
        for place, (draw, one) in enumerate(zip(run.draws, predictions, strict=False)):
            curve, (b, n) = seen_unseen_curve(one), chosen_point(one)
            (line,) = axes.plot(
                curve.base, curve.novel, color=colour, lw=1.2, label=None if place else legend_label(name)
            )
            picture.tip(line, f'{name}, draw {draw}')
            (dot,) = axes.plot([b], [n], 'o', color=colour, ms=6)
            picture.tip(dot, f'{name}, draw {draw}: gamma {float(one["gamma"]):.3g}, B {b:.2f}, N {n:.2f}')
            picture.data.rows.extend(_curve_rows(name, draw, curve))
    axes.set(xlabel='B, per cent', ylabel='N, per cent', xlim=(0, 101), ylim=(0, 101))
    axes.legend(loc='lower left')
    return picture


def _curve_rows(name: str, draw: int, curve: Curve) -> list[tuple[object, ...]]:
    columns = (values.tolist() for values in curve)
    return [(name, draw, *values) for values in zip(*columns, strict=True)]


def learning_pictures(run: Run) -> list[Picture]:
    """Draw the curves of each phase with more than one epoch."""
    return [learning_picture(name, history) for name, history in run.histories.items() if len(history) > 1]


@styled
def learning_picture(phase: str, history: Sequence[Mapping[str, Any]]) -> Picture:
    """Draw the losses and the validation metrics of a phase, epoch by epoch."""
    epochs = [entry['epoch'] for entry in history]
    losses = sorted({key for entry in history for key in entry if key.startswith('loss')})
    metrics = [key for key in (*METRIC_NAMES, 'B0') if any(key in entry for entry in history)]
    figure, axes = new_figure(7.4, 2.7, columns=2)
    picture = Picture(
        f'learning_{phase}',
        phase,
        'Left: the mean loss of each epoch and its parts. Right: the validation metrics.'
        if metrics
        else 'The mean loss of each epoch and its parts. This phase has no validation.',
        figure,
        Table(('epoch', 'lr', *losses, *metrics), []),
    )
    for entry in history:
        picture.data.rows.append((entry['epoch'], entry.get('lr'), *(entry.get(key) for key in (*losses, *metrics))))
    for panel, keys in zip(axes, (losses, metrics), strict=True):
        for colour, key in zip(COLOURS, keys, strict=False):
            values = [entry.get(key, np.nan) for entry in history]
            (line,) = panel.plot(epochs, values, '.-', color=colour, lw=1.2, ms=4, label=_LOSS_NAMES.get(key, key))
            picture.tip(line, f'{key}: first {values[0]:.4g}, last {values[-1]:.4g}')
        panel.set_xlabel('epoch')
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        if keys:
            panel.legend(fontsize=7, loc='best')
        else:
            panel.set_axis_off()
    axes[0].set_title('loss')
    axes[1].set_title('validation, per cent' if metrics else '')
    return picture


@styled
def confusion_picture(run: Run) -> Picture:
    """Draw the confusion matrix, base classes first."""
    first = run.predictions[0]
    order = tested_columns(run.predictions)
    counts = confusion(run.predictions)
    names = [printable(name) for name in first['classes'][order]]
    rows = counts[order]
    share = 100 * rows[:, order] / np.maximum(rows.sum(1, keepdims=True), 1)
    figure, (axes,) = new_figure(5.6, 4.8)
    num_base = int(first['base_mask'][order].sum())
    picture = Picture(
        'confusion',
        'Confusion matrix',
        'Rows are true classes, columns predicted ones, in per cent of the row, over all draws. '
        f'The first {number_of(num_base, "class is", "classes are")} base; lines mark where the novel ones begin.',
        figure,
        Table(('true', 'predicted', 'videos', 'per cent'), _confusions(names, counts[np.ix_(order, order)], share)),
    )
    image = axes.imshow(share, cmap='Blues', vmin=0, vmax=100, interpolation='nearest', aspect='auto')
    for line in (axes.axhline, axes.axvline):
        line(num_base - 0.5, color=NOVEL, lw=0.8)
    axes.set(xlabel='predicted class', ylabel='true class')
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    figure.colorbar(image, ax=axes, label='per cent of the class')
    return picture


def _confusions(names: Sequence[str], counts: np.ndarray, share: np.ndarray) -> list[tuple[object, ...]]:
    places = zip(*np.nonzero(counts), strict=True)
    return [(names[i], names[j], int(counts[i, j]), round(float(share[i, j]), 2)) for i, j in places]


@styled
def reliability_picture(run: Run) -> Picture:
    """Draw how often the most likely class is right, by its probability."""
    found = reliability(run.predictions, run.scales)
    figure, (axes,) = new_figure(4.6, 3.6)
    picture = Picture(
        'reliability',
        'Reliability of probabilities',
        f'Videos by the probability of their most likely class: expected calibration error {found.error:.1f} points. '
        'On the diagonal, predictions are right as often as their probability says; below it they are overconfident. '
        'Gamma is not used here.',
        figure,
        Table(('videos', 'confidence', 'accuracy'), list(zip(*(values.tolist() for values in found), strict=True))),
    )
    edges = np.linspace(0, 100, len(found.videos) + 1)
    axes.plot([0, 100], [0, 100], color=PLAIN, lw=1, ls='--')
    for left, count, confidence, accuracy in zip(edges, *found, strict=False):
        if count:
            (bar,) = axes.bar(left + 5, accuracy, width=9, color=BASE, alpha=0.35 + 0.65 * count / found.videos.max())
            picture.tip(
                bar, f'{number_of(int(count), "video")}, confidence {confidence:.1f}, right {accuracy:.1f} per cent'
            )
    axes.set(
        xlabel='probability of the most likely class, per cent', ylabel='right, per cent', xlim=(0, 100), ylim=(0, 100)
    )
    return picture


_QUARTERS = {
    'loss_quarters': ('right conditions', BASE),
    'loss_shuffled_quarters': ('conditions of other classes', NOVEL),
    'loss_zero_quarters': ('predicting zero', PLAIN),
}


@styled
def generator_picture(checks: Mapping[str, Mapping[str, Any]]) -> Picture | None:
    """Draw a denoiser's loss along its chain, for each check; ``None`` if no generator has such a loss."""
    checks = {name: check for name, check in checks.items() if _has_quarters(check)}
    if not checks:
        return None
    figure, (axes,) = new_figure(5.2, 3.4)
    picture = Picture(
        'generator',
        'Loss along the chain',
        'On held-out features, from little noise (first quarter) to much noise (last). A generator that uses its '
        'conditions is better with the right ones than with those of other classes; one that has learned anything is '
        'better than predicting zero. One line per check.',
        figure,
        Table(('check', 'conditions', *(f'quarter {i}' for i in range(1, 5))), []),
    )
    for name, check in checks.items():
        for key, (label, colour) in _QUARTERS.items():
            first = name == next(iter(checks))
            (line,) = axes.plot(range(1, 5), check[key], '.-', color=colour, lw=1.2, label=label if first else None)
            picture.tip(line, f'{name}, {label}: {", ".join(f"{value:.3f}" for value in check[key])}')
            picture.data.rows.append((name, label, *check[key]))
    axes.set(xlabel='quarter of the chain', ylabel='squared error', xticks=range(1, 5), ylim=(0, None))
    axes.legend()
    return picture


def _has_quarters(check: Mapping[str, Any]) -> bool:
    lists = [check.get(key) for key in _QUARTERS]
    return all(isinstance(one, list) and len(one) == 4 and all(isinstance(v, float) for v in one) for one in lists)
