"""The table of a reproduction: our numbers over seeds beside the paper's."""

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
from avzoo.utils.files import atomic_write_text
from avzoo.utils.tables import Layout, markdown_table, text_table, two_decimals
from avzoo.zoo.index import read_index

_UNIMODAL = ('avdiff-audio', 'avdiff-visual')  # Their references see one modality only.


def gather(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Read the results of the finished runs.

    Returns:
        One dict for each data set and number of shots: ``dataset``, ``shots`` and ``rows``. A row has ``name``,
        ``method``, ``status`` {seed: how far the run has come}, ``mean`` and ``ci95`` {metric: value over the finished
        seeds}, ``draws_ci95``, the mean half-width of the 95% interval of HM over the draws of a seed, and ``paper``
        {metric: value}. The plain references are the last rows, if a run has them.
    """
    tables = []
    for (dataset, shots), one in groupby(runs, key=lambda run: (run.dataset, run.shots)):
        group = list(one)
        status = {run: run.status() for run in group}
        found = {run: run.results() for run in group if status[run] == 'finished'}
        rows = [
            _row({run: status[run] for run in members}, found) for _, members in groupby(group, key=lambda run: run.row)
        ]
        tables.append(dict(dataset=dataset, shots=shots, rows=rows + _reference_rows(found)))
    return tables


def _row(status: Mapping[Run, Status], found: Mapping[Run, dict]) -> dict[str, Any]:
    first = next(iter(status))
    return dict(
        name=first.name,
        method=first.load_config().method,
        paper=_paper(first.name),
        status={run.seed: value for run, value in status.items()},
        **_over_seeds([found[run]['aggregate'] for run in status if run in found]),
    )


def _reference_rows(found: Mapping[Run, dict]) -> list[dict[str, Any]]:
    """Return a row for each plain reference; all runs of a data set have the same ones."""
    for run in reversed(list(found)):
        references = found[run].get('references') if run.row not in _UNIMODAL else None
        if references:
            return [
                dict(
                    name=name,
                    method=reference_title(name),
                    status={},
                    paper={},
                    **_over_seeds([reference['aggregate']]),
                )
                for name, reference in references.items()
            ]
    return []


def _over_seeds(aggregates: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    mean = {key: sum(a[key] for a in aggregates) / len(aggregates) for key in TABLE_METRICS} if aggregates else {}
    ci95 = {key: half_width_95([a[key] for a in aggregates]) for key in mean}
    widths = [a['ci95'] for a in aggregates if a.get('ci95') is not None]
    return dict(mean=mean, ci95=ci95, draws_ci95=sum(widths) / len(widths) if widths else None)


def _paper(name: str) -> dict[str, float]:
    entry = read_index().get(name)
    for result in entry.results if entry else ():
        if 'Paper' in result:
            return {key: result['Paper'][key] for key in TABLE_METRICS if key in result['Paper']}
    return {}


def plan_text(runs: Sequence[Run]) -> str:
    """List runs, how far each has come, and the command of those that are to be run."""
    lines = []
    for run in runs:
        status = run.status()
        command = '' if status == 'finished' else f'\n    {shlex.join(run.command)}'
        lines.append(f'{status:<10}  {run.name}, seed {run.seed}{command}')
    return '\n'.join(lines)


def tables_text(number: int, tables: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the tables as plain text."""
    return _layout(number, tables, text_table, heading='')


def tables_markdown(number: int, tables: Sequence[Mapping[str, Any]]) -> str:
    """Lay the tables out as Markdown."""
    return _layout(number, tables, markdown_table, heading='## ') + '\n'


def write_tables(folder: str | os.PathLike[str], number: int, tables: Sequence[Mapping[str, Any]]) -> tuple[Path, Path]:
    """Write ``tableN.json`` and ``tableN.md`` into a folder; returns both paths."""
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
        header = ['method', *TABLE_METRICS, 'draws ±', *(f'paper {key}' for key in paper), 'runs']
        cells = [
            [
                row['method'],
                *(_value(row, key) for key in TABLE_METRICS),
                two_decimals(row['draws_ci95']),
                *(two_decimals(row['paper'].get(key)) for key in paper),
                _runs(row['status']),
            ]
            for row in one['rows']
        ]
        shots = f'{one["shots"]} shot{"" if one["shots"] == 1 else "s"}'
        parts.append(f'{heading}Table {number}: {one["dataset"]}, {shots}\n\n{table(header, cells)}')
    notes = [
        'Per cent. ± after a value is the 95% interval of the mean over seeds; `draws ±` is that of HM over the '
        'draws of the novel shots within a seed.'
    ]
    if any(_unfinished(row['status']) for one in tables for row in one['rows']):
        notes.append('A dash stands for what was not run, or is not finished.')
    return '\n\n'.join([*parts, '\n'.join(notes)])


def _value(row: Mapping[str, Any], key: str) -> str:
    text = two_decimals(row['mean'].get(key))
    return text if row['ci95'].get(key) is None else f'{text} ± {two_decimals(row["ci95"][key])}'


def _unfinished(status: Mapping[int, Status]) -> list[Status]:
    return [value for value in status.values() if value != 'finished']


def _runs(status: Mapping[int, Status]) -> str:
    """Say how many seeds a row rests on, and how far the others have come."""
    if not status:
        return ''
    missing = _unfinished(status)
    if not missing:
        return str(len(status))
    return missing[0] if len(missing) == len(status) else f'{len(status) - len(missing)} of {len(status)}'
