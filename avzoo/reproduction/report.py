"""The table of a reproduction: our numbers over seeds next to the paper's."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from avzoo.evaluation.functional import half_width_95
from avzoo.evaluation.report import reference_title
from avzoo.protocol import TABLE_METRICS
from avzoo.reproduction.plan import Run, Status
from avzoo.utils.counts import number_of
from avzoo.utils.files import atomic_write_text
from avzoo.utils.tables import Layout, Markdown, markdown_table, text_table, two_decimals
from avzoo.zoo.index import paper_results

_PAIRED = ('HM', 'FSL')  # Differences that have a column.
_UNIMODAL = ('avdiff-audio', 'avdiff-visual')  # Their references use only one modality.


def gather(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Read the results of the finished runs.

    Returns:
        One dict per data set and number of shots: ``dataset``, ``shots``, ``against``, the plain reference that is
        strongest on validation (None if no run was compared), and ``rows``. A row has ``name``, ``method``, ``status``
        {seed: progress of the run}, ``mean`` and ``ci95`` {metric: value over the finished seeds}, ``draws_ci95``, the
        mean half-width of the 95% interval of HM over the draws of a seed, ``paper`` {metric: value}, and ``paired``
        {HM and FSL: dict(mean, ci95, low, high)}, the differences to ``against``. The references are the last rows, if
        a run has them.
    """
    tables = []
    for (dataset, shots), one in groupby(runs, key=lambda run: (run.dataset, run.shots)):
        group = list(one)
        status = {run: run.status() for run in group}
        found = {run: run.results() for run in group if status[run] == 'finished'}
        against = _against(found)
        rows = [
            _row({run: status[run] for run in members}, found, against)
            for _, members in groupby(group, key=lambda run: run.row)
        ]
        tables.append(dict(dataset=dataset, shots=shots, against=against, rows=rows + _reference_rows(found)))
    return tables


def _row(status: Mapping[Run, Status], found: Mapping[Run, dict], against: str | None) -> dict[str, Any]:
    first = next(iter(status))
    return dict(
        name=first.name,
        method=first.load_config().method,
        paper=paper_results(first.name),
        status={run.seed: value for run, value in status.items()},
        paired=_paired([found[run] for run in status if run in found and run.row not in _UNIMODAL], against),
        **_over_seeds([found[run]['aggregate'] for run in status if run in found]),
    )


def _reference_rows(found: Mapping[Run, dict]) -> list[dict[str, Any]]:
    """Return a row for each plain reference; all runs on a data set have the same ones."""
    for run in reversed(list(found)):
        references = found[run].get('references') if run.row not in _UNIMODAL else None
        if references:
            return [
                dict(
                    name=name,
                    method=reference_title(name),
                    status={},
                    paper={},
                    paired={},
                    **_over_seeds([reference['aggregate']]),
                )
                for name, reference in references.items()
            ]
    return []


def _against(found: Mapping[Run, dict]) -> str | None:
    """Return the reference that the runs were compared with: chosen on validation, so it is the same for all."""
    compared = [found[run]['paired'] for run in found if found[run].get('paired') and run.row not in _UNIMODAL]
    return compared[-1]['against'] if compared else None


def _paired(results: Sequence[Mapping[str, Any]], against: str | None) -> dict[str, dict[str, float | None]]:
    """Average the differences to a reference, and the ends of their intervals, over the seeds."""
    known = [one['paired'] for one in results if one.get('paired') and one['paired']['against'] == against]
    if not known:
        return {}
    return {
        metric: {
            **_mean_of([one['draws'][metric] for one in known], ('mean', 'ci95')),
            **_mean_of([(one['bootstrap'] or {}).get(metric, {}) for one in known], ('low', 'high')),
        }
        for metric in _PAIRED
    }


def _mean_of(entries: Sequence[Mapping[str, float | None]], keys: Sequence[str]) -> dict[str, float | None]:
    """Average each key over the entries; None if an entry lacks the key."""
    columns = {key: [entry.get(key) for entry in entries] for key in keys}
    return {
        key: None if None in values else sum(v for v in values if v is not None) / len(values)
        for key, values in columns.items()
    }


def _over_seeds(aggregates: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    mean = {key: sum(a[key] for a in aggregates) / len(aggregates) for key in TABLE_METRICS} if aggregates else {}
    ci95 = {key: half_width_95([a[key] for a in aggregates]) for key in mean}
    widths = [a['ci95'] for a in aggregates if a.get('ci95') is not None]
    return dict(mean=mean, ci95=ci95, draws_ci95=sum(widths) / len(widths) if widths else None)


def plan_text(runs: Sequence[Run]) -> str:
    """List runs, the progress of each, and the command for those still to be run."""
    lines = []
    for run in runs:
        status = run.status()
        command = '' if status == 'finished' else f'\n    {shlex.join(run.command)}'
        lines.append(f'{status:<10}  {run.name}, seed {run.seed}{command}')
    return '\n'.join(lines)


def tables_text(number: int, tables: Sequence[Mapping[str, Any]]) -> str:
    """Format the tables as plain text."""
    return _layout(number, tables, text_table, heading='')


def tables_markdown(number: int, tables: Sequence[Mapping[str, Any]]) -> str:
    """Format the tables as Markdown."""
    return _layout(number, tables, markdown_table, heading='## ') + '\n'


def write_tables(folder: str | os.PathLike[str], number: int, tables: Sequence[Mapping[str, Any]]) -> tuple[Path, Path]:
    """Write ``tableN.json`` and ``tableN.md`` to a folder; return both paths."""
    stem = Path(folder) / f'table{number}'
    content = json.dumps(dict(table=number, tables=list(tables)), indent=2, ensure_ascii=False)
    return (
        atomic_write_text(stem.with_suffix('.json'), content + '\n'),
        atomic_write_text(stem.with_suffix('.md'), tables_markdown(number, tables)),
    )


def _layout(number: int, tables: Sequence[Mapping[str, Any]], table: Layout, *, heading: str) -> str:
    parts = []
    for one in tables:
        paper = tuple(key for key in TABLE_METRICS if any(key in row['paper'] for row in one['rows']))
        paired = _PAIRED if one['against'] else ()
        header = [
            'method',
            *TABLE_METRICS,
            'draws ±',
            *(f'Δ {key}' for key in paired),
            *(f'paper {key}' for key in paper),
            'runs',
        ]
        cells = [
            [
                row['method'],
                *(_value(row, key) for key in TABLE_METRICS),
                two_decimals(row['draws_ci95']),
                *(_difference(row['paired'].get(key)) for key in paired),
                *(two_decimals(row['paper'].get(key)) for key in paper),
                _runs(row['status']),
            ]
            for row in one['rows']
        ]
        shots = number_of(one['shots'], 'shot')
        parts.append(f'{heading}Table {number}: {one["dataset"]}, {shots}\n\n{table(header, cells)}')
    notes = [
        'Per cent. ± after a value is the 95% interval of the mean over seeds; `draws ±` is that of HM over the '
        'draws of the novel shots within a seed.'
    ]
    if any(one['against'] for one in tables):
        against = dict.fromkeys(reference_title(one['against']) for one in tables if one['against'])
        notes.append(
            f'Δ is the paired difference to {" or ".join(against)}, the strongest reference on validation; ± its 95% '
            'interval over the draws, in brackets that of a bootstrap over test videos (means over seeds).'
        )
    if any(_unfinished(row['status']) for one in tables for row in one['rows']):
        notes.append('A dash marks what was not run or is not finished.')
    return '\n\n'.join([*parts, '\n'.join(notes)])


def _value(row: Mapping[str, Any], key: str) -> str:
    text = two_decimals(row['mean'].get(key))
    return text if row['ci95'].get(key) is None else f'{text} ± {two_decimals(row["ci95"][key])}'


def _difference(paired: Mapping[str, float | None] | None) -> str:
    """Format a paired difference and its two intervals, e.g. `+4.65 ± 0.94 [+3.10, +6.02]`."""
    if not paired:
        return '-'
    text = f'{paired["mean"]:+.2f}'
    if paired['ci95'] is not None:
        text += f' ± {paired["ci95"]:.2f}'
    return text if paired['low'] is None else Markdown(f'{text} [{paired["low"]:+.2f}, {paired["high"]:+.2f}]')


def _unfinished(status: Mapping[int, Status]) -> list[Status]:
    return [value for value in status.values() if value != 'finished']


def _runs(status: Mapping[int, Status]) -> str:
    """Return how many seeds a row is based on, and the progress of the others."""
    if not status:
        return ''
    missing = _unfinished(status)
    if not missing:
        return str(len(status))
    return missing[0] if len(missing) == len(status) else f'{len(status) - len(missing)} of {len(status)}'
