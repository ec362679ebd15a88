"""The plots and tables of several runs on the same test."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, StrMethodFormatter

from avzoo.evaluation.functional import half_width_95
from avzoo.evaluation.paired import PAIRED_METRICS, bootstrap_difference, paired_difference
from avzoo.evaluation.report import interval, signed
from avzoo.protocol import METRIC_NAMES
from avzoo.report.figures import COLOURS, Picture, Table, legend_label, new_figure, styled
from avzoo.report.run_files import Run
from avzoo.report.section import rounded_seconds
from avzoo.utils.printable import printable

_OVER_VIDEOS = ('HM', 'FSL')  # Metrics with a bootstrap interval.


def labels_of(runs: Sequence[Run]) -> list[str]:
    """Return printable names of the runs: the method, or as much of the folder as distinguishes them."""
    depth = max(len(run.folder.parts) for run in runs)
    candidates = [[str(run.results['method']) for run in runs]]
    candidates += [['/'.join(run.folder.parts[-count:]) for run in runs] for count in range(1, depth + 1)]
    return [printable(label) for label in next(labels for labels in candidates if len(set(labels)) == len(runs))]


@styled
def draws_picture(runs: Sequence[Run]) -> Picture:
    """Draw every metric of every draw, with the mean and its interval."""
    names = labels_of(runs)
    figure, panels = new_figure(9.6, 0.9 + 0.42 * len(runs), columns=len(METRIC_NAMES))
    picture = Picture(
        'draws',
        'Every draw',
        'Each dot is a draw of the novel shots, the bar is the mean with its 95% interval over draws. Draws differ in '
        'difficulty for all methods alike, so overlapping intervals do not mean a tie: see the differences below.',
        figure,
        Table(('run', 'metric', 'draw', 'value'), []),
    )
    for panel, metric in zip(panels, METRIC_NAMES, strict=True):
        for place, (run, name) in enumerate(zip(runs, names, strict=True)):
            values = [row[metric] for row in run.results['draws']]
            mean, width = sum(values) / len(values), half_width_95(values)
            bar = panel.errorbar(
                [mean], [place], xerr=[width or 0], fmt='|', ms=12, color=COLOURS[place % 8], capsize=3
            )
            picture.tip(bar.lines[0], f'{name}: {metric} {mean:.2f}' + (f' ± {width:.2f}' if width else ''))
            for row in run.results['draws']:
                (dot,) = panel.plot([row[metric]], [place], 'o', ms=4, color=COLOURS[place % 8], alpha=0.7)
                picture.tip(dot, f'{name}, draw {row["draw"]}: {metric} {row[metric]:.2f}')
                picture.data.rows.append((name, metric, row['draw'], row[metric]))
        panel.set(title=metric, ylim=(len(runs) - 0.5, -0.5), yticks=range(len(runs)))
        panel.set_yticklabels(names if panel is panels[0] else [])
    return picture


@styled
def base_novel_picture(runs: Sequence[Run]) -> Picture:
    """Draw B against N for each run."""
    figure, (axes,) = new_figure(4.8, 4.2)
    picture = Picture(
        'base_novel',
        'Base against novel accuracy',
        'Small dots are draws, large dots are means.',
        figure,
        Table(('run', 'draw', 'B', 'N'), []),
    )
    for colour, run, name in zip(COLOURS * len(runs), runs, labels_of(runs), strict=False):
        for row in run.results['draws']:
            (dot,) = axes.plot([row['B']], [row['N']], 'o', ms=3.5, color=colour, alpha=0.6)
            picture.tip(dot, f'{name}, draw {row["draw"]}: B {row["B"]:.2f}, N {row["N"]:.2f}')
            picture.data.rows.append((name, row['draw'], row['B'], row['N']))
        mean = run.results['aggregate']
        (dot,) = axes.plot([mean['B']], [mean['N']], 'o', ms=9, color=colour, label=legend_label(name))
        picture.tip(dot, f'{name}: B {mean["B"]:.2f}, N {mean["N"]:.2f}, HM {mean["HM"]:.2f}')
    axes.set(xlabel='B, per cent', ylabel='N, per cent')
    axes.legend()
    return picture


@styled
def cost_picture(runs: Sequence[Run]) -> Picture | None:
    """Draw HM against the number of parameters and the training time; ``None`` if no run records either."""
    if not any(run.parameters or run.training_seconds for run in runs):
        return None
    figure, panels = new_figure(9.6, 3.8, columns=2)
    picture = Picture(
        'cost',
        'Accuracy against size and time',
        'HM against the number of model parameters, and against the total training time of the phases of a run on the '
        'device given in the table of runs, without trials of curriculum.choices that were not kept. Runs of older '
        'versions, which do not record these, are left out.',
        figure,
        Table(('run', 'parameters', 'seconds', 'HM'), []),
    )
    for colour, run, name in zip(COLOURS * len(runs), runs, labels_of(runs), strict=False):
        hm, costs = run.results['aggregate']['HM'], (run.parameters, run.training_seconds)
        picture.data.rows.append((name, *costs, hm))
        for panel, cost, unit in zip(panels, costs, ('parameters', 'seconds'), strict=True):
            if cost:
                (dot,) = panel.plot([cost], [hm], 'o', ms=8, color=colour, label=legend_label(name))
                picture.tip(dot, f'{name}: {rounded_seconds(cost):,} {unit}, HM {hm:.2f}')
    for panel, label in zip(panels, ('parameters', 'seconds of training'), strict=True):
        panel.set(xscale='log', xlabel=label, ylabel='HM, per cent')
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(EngFormatter(sep=''))
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.margins(0.15)
    panels[1].xaxis.set_major_formatter(StrMethodFormatter('{x:,.12g}'))  # 200m would be read as 200 minutes.
    for panel in [panel for panel in panels if panel.lines][:1]:
        panel.legend()
    return picture


def differences_table(runs: Sequence[Run]) -> Table:
    """Return the paired difference of each run from the first, over draws and over videos, and whether it is a tie."""
    names = labels_of(runs)
    header = [x for m in PAIRED_METRICS for x in (m, *([f'{m}, over videos'] if m in _OVER_VIDEOS else []))]
    table = Table(('run', *header, 'by HM'), [])
    for run, name in zip(runs[1:], names[1:], strict=True):
        cells: list[object] = []
        if sorted(run.draws) != sorted(runs[0].draws):
            table.rows.append((name, *['other draws'] * (len(table.header) - 1)))
            continue
        videos = _over_videos(run, runs[0])
        for metric in PAIRED_METRICS:
            over_draws = paired_difference(run.results['draws'], runs[0].results['draws'], metric)
            cells.append(signed(over_draws).removesuffix(' (draws)'))
            if metric in _OVER_VIDEOS:
                cells.append(interval(videos[metric]) if videos else '-')
        table.rows.append((name, *cells, _verdict(run, runs[0], videos)))
    return table


def _over_videos(run: Run, other: Run) -> dict[str, dict[str, float]]:
    if not run.predictions or not other.predictions:
        return {}
    theirs = dict(zip(other.draws, other.predictions, strict=True))
    return bootstrap_difference(run.predictions, [theirs[draw] for draw in run.draws])


def _verdict(run: Run, other: Run, videos: Mapping[str, Mapping[str, float]]) -> str:
    """Return better or worse only if no interval of the difference in HM contains 0; empty without a difference."""
    over_draws = paired_difference(run.results['draws'], other.results['draws'], 'HM')
    mean, width = over_draws['mean'] or 0.0, over_draws['ci95']
    bounds = [(mean - width, mean + width)] if width is not None else []
    bounds += [(videos['HM']['low'], videos['HM']['high'])] if 'HM' in videos else []
    if not bounds:
        return 'unknown: one draw'
    if all(low > 0 for low, _ in bounds):
        return 'better'
    return 'worse' if all(high < 0 for _, high in bounds) else 'tie'


def config_differences(runs: Sequence[Run]) -> Table:
    """Return the config keys in which the runs differ, one column per run."""
    settings = [run.settings for run in runs]
    rows = [(key, *(shortened(one.get(key, '-')) for one in settings)) for key in differing_keys(settings)]
    return Table(('key', *labels_of(runs)), list(rows))


def differing_keys(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys whose values are not the same in all of the given settings, sorted."""
    keys = set().union(*settings)
    return sorted(key for key in keys if len({repr(one.get(key)) for one in settings}) > 1)


def shortened(value: object, width: int = 80) -> str:
    """Return a value as printable text with at most ``width`` characters."""
    text = printable(value)
    return text if len(text) <= width else f'{text[: width - 3]}...'
