"""The sections of a page that compares runs."""

from collections.abc import Sequence

from avzoo.protocol import METRIC_NAMES
from avzoo.report.comparison import (
    base_novel_picture,
    config_differences,
    cost_picture,
    differences_table,
    draws_picture,
    labels_of,
)
from avzoo.report.figures import Table
from avzoo.report.run_files import Run
from avzoo.report.section import Section, rounded, rounded_seconds
from avzoo.utils.printable import printable


def sections_of_comparison(runs: Sequence[Run]) -> list[Section]:
    """Return the sections of a page that compares runs on the same test; differences are to the first."""
    names = labels_of(runs)
    results = Table(('run', *METRIC_NAMES, 'draws', 'seed', 'generator'), [])
    for run, name in zip(runs, names, strict=True):
        mean = run.results['aggregate']
        facts = len(run.draws), str(run.results.get('seed', '-')), _learned(run)
        results.rows.append((name, *(rounded(mean[key]) for key in METRIC_NAMES), *facts))
    cost = cost_picture(runs)
    unsaid = [] if cost else ['No run records the number of model parameters or the training time.']
    return [
        Section('Results', [runs[0].setting], {'Means over the draws, per cent': results}, [draws_picture(runs)]),
        Section(
            'Differences',
            [
                'Paired differences within a draw, mean ± 95% interval over draws; in brackets the 95% interval of a '
                'bootstrap over test videos. A run is better or worse only if no interval in HM contains 0.'
            ],
            {f'Points, minus {names[0]}': differences_table(runs)},
        ),
        Section('Base and novel', pictures=[base_novel_picture(runs)]),
        Section('Cost', unsaid, pictures=[cost] if cost else []),
        _configuration(runs),
        Section('Runs', tables={'Where they come from': _origins(runs)}),
    ]


def _origins(runs: Sequence[Run]) -> Table:
    table = Table(('run', 'folder', 'parameters', 'training seconds', 'device', 'commit'), [])
    for run, name in zip(runs, labels_of(runs), strict=True):
        says = [run.provenance.get(key) or '-' for key in ('device', 'commit')]
        costs = run.parameters or '-', rounded_seconds(run.training_seconds)
        table.rows.append((name, printable(run.name), *costs, *(printable(value) for value in says)))
    return table


def _configuration(runs: Sequence[Run]) -> Section:
    if not all(run.settings for run in runs):
        text = 'The settings of a run are unknown: its curriculum.json is missing or does not match the run.'
        return Section('Configuration', [text])
    text = 'Keys that a config leaves to validation (curriculum.choices) have the value that was chosen.'
    return Section('Configuration', [text], {'Keys that differ': config_differences(runs)})


def _learned(run: Run) -> str:
    checks = [row['generator_check'] for row in run.results['draws'] if row.get('generator_check')]
    if not checks:
        return 'none'
    return 'learned' if all(check['learned'] for check in checks) else 'not learned'
