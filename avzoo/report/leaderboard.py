"""Rank the results of runs: one table for each data set, number of shots and feature set."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from avzoo.evaluation.functional import half_width_95
from avzoo.protocol import METRIC_NAMES
from avzoo.report.comparison import differing_keys, labels_of, shortened
from avzoo.report.figures import Table
from avzoo.report.repeats import SEED_KEYS, row_of, seeds_of, warn_of_equal_repeats
from avzoo.report.run_files import Run, read_run
from avzoo.report.section import Section
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError
from avzoo.utils.printable import printable
from avzoo.utils.tables import markdown_table

_HEADER = ('method', *METRIC_NAMES, 'HM ±', 'runs', 'draws', 'seeds', 'class vectors', 'gamma')


def find_runs(
    places: Sequence[str | os.PathLike[str]], *, on_bad: Callable[[DataError], object] | None = None
) -> list[Run]:
    """Read every finished run at or below the given places.

    Args:
        places: Work directories, or folders that contain them.
        on_bad: Called with the error of each damaged run, which is then left out; by default the error is raised.

    Raises:
        DataError: If a place holds no finished run, or all are damaged.
    """
    found: dict[Path, Run] = {}
    bad: list[DataError] = []
    for place in map(Path, places):
        files = [place] if place.is_file() else sorted(place.rglob('results.json'))
        if not files:
            raise DataError(
                f'{place} holds no results.json of a finished run. Give work directories, or a folder of them.'
            )
        for file in files:
            try:
                run = read_run(file.parent)
                found[run.folder] = run
            except DataError as error:
                bad.append(error)
    for one in bad:
        if on_bad is None or not found:
            raise one
        on_bad(one)
    return list(found.values())


def leaderboard(runs: Iterable[Run]) -> list[Section]:
    """Rank runs by HM, the mean over draws and seeds.

    Runs that differ only in the seed form one row, whatever validation chose for each. Runs with other features or
    another number of shots, or tested on another store, are in a separate table. Warns about seeds that change nothing.
    """
    runs = sorted(runs, key=_table_of)
    warn_of_equal_repeats(runs)
    sections: list[Section] = []
    for key, members in groupby(runs, key=_table_of):
        dataset, shots, features, store = key
        groups = [list(group) for _, group in groupby(sorted(members, key=row_of), key=row_of)]
        groups.sort(key=lambda group: -_mean(group, 'HM'))
        rows = [_row(group, name) for group, name in zip(groups, _names(groups), strict=True)]
        text = [f'Features: {features}.', *([f'Store: SHA-256 {store[:12]}.'] if store else [])]
        said = [f'{dataset}, {number_of(shots, "shot")}']
        said += [] if features == _UNNAMED else [features]
        said.append(f'store {store[:12] or "unknown"}')
        titles = [', '.join(said[:count]) for count in range(1, len(said) + 1)]
        taken = [section.title for section in sections]
        title = next((one for one in titles if one not in taken), titles[-1])
        sections.append(Section(title, text, {'Per cent, by HM': Table(_HEADER, rows)}))
    return sections


def leaderboard_markdown(sections: Sequence[Section]) -> str:
    """Return a leaderboard as a Markdown page."""
    parts = ['# Leaderboard', _TEXT]
    for section in sections:
        (table,) = section.tables.values()
        parts += [f'## {section.title}', ' '.join(section.text)]
        parts.append(markdown_table(table.header, [[_cell(value) for value in row] for row in table.rows]))
    return '\n\n'.join(parts) + '\n'


_FEW, _LONGEST = 3, 40  # Settings in a name, unless more are needed; characters of a value.
_UNNAMED = 'not named by the store'
_TEXT = (
    'Made from the `results.json` of finished runs by `tools/leaderboard.py`. HM is that of mean B and mean N, '
    'averaged over the seeds; `HM ±` is the half-width of its 95% interval over the draws, each averaged over its '
    'seeds. Rank by paired differences (`tools/report.py` with several runs), not by overlapping intervals: draws '
    'differ in difficulty.'
)


def _table_of(run: Run) -> tuple[str, int, str, str]:
    """Return data set, shots, features and checksum of the store, which the runs in a table share."""
    features, store = run.feature_set or _UNNAMED, str(run.store.get('sha256') or '')
    return str(run.results['dataset']), int(run.results['num_shots']), features, store


def _names(groups: Sequence[Sequence[Run]]) -> list[str]:
    """Return the names of the rows: the method, and in brackets what distinguishes rows with the same method."""
    names = [''] * len(groups)
    for method in {group[0].results['method'] for group in groups}:
        places = [place for place, group in enumerate(groups) if group[0].results['method'] == method]
        said = _variants([groups[place] for place in places])
        folders = labels_of([groups[place][0] for place in places])
        for place, text, folder in zip(places, said, folders, strict=True):
            text = ', '.join(filter(None, (text, folder))) if said.count(text) > 1 else text
            names[place] = printable(f'{method} ({text})' if text else method)
    return names


def _variants(groups: Sequence[Sequence[Run]]) -> list[str]:
    """Return the settings in which rows differ: the first few, and any others that distinguish more rows."""
    settings = [_values(group) for group in groups]
    # Truncated values come last: they are hard to read, and often similar.
    keys = sorted(differing_keys(settings), key=lambda key: any(one.get(key, '').endswith('...') for one in settings))
    taken = keys[:_FEW]
    for key in keys[_FEW:]:
        if len(set(_cells(settings, [*taken, key]))) > len(set(_cells(settings, taken))):
            taken.append(key)
    more = ['...'] if len(taken) < len(keys) else []
    return [', '.join([*cells, *more]) for cells in _cells(settings, taken)]


def _cells(settings: Sequence[Mapping[str, str]], keys: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(f'{key}={one.get(key, "-")}' for key in keys) for one in settings]


def _values(group: Sequence[Run]) -> dict[str, str]:
    """Return the settings of a row as text; validation may have chosen a different value for each seed."""
    keys = set().union(*(run.settings for run in group)).difference(SEED_KEYS)
    values = {key: dict.fromkeys(str(run.settings.get(key, '-')) for run in group) for key in keys}
    return {key: shortened(' / '.join(those), _LONGEST) for key, those in values.items()}


def _row(runs: Sequence[Run], name: str) -> tuple[object, ...]:
    # A draw has the same shots with every seed: its repeats are not independent, so more seeds do not mean more draws.
    draws: dict[int, list[float]] = {}
    for row in (row for run in runs for row in run.results['draws']):
        draws.setdefault(int(row['draw']), []).append(row['HM'])
    width = half_width_95([sum(values) / len(values) for values in draws.values()])
    return (
        name,
        *(round(_mean(runs, key), 2) for key in METRIC_NAMES),
        '-' if width is None else round(width, 2),
        len(runs),
        sum(len(run.results['draws']) for run in runs),
        ', '.join(map(str, seeds_of(runs))),
        printable(runs[0].class_vectors or '-'),
        printable(' / '.join(dict.fromkeys(str(run.results.get('gamma_source') or '-') for run in runs))),
    )


def _mean(runs: Sequence[Run], metric: str) -> float:
    return sum(run.results['aggregate'][metric] for run in runs) / len(runs)


def _cell(value: object) -> str:
    return f'{value:.2f}' if isinstance(value, float) else str(value)
