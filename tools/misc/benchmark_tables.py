"""The numbers from the runs of avzoo's own benchmarks, as tables."""

import json
from collections.abc import Sequence
from typing import Any

from avzoo.evaluation.functional import half_width_95
from avzoo.protocol import METRIC_NAMES
from benchmark_sections import BenchmarkRun, Section


def gather_section(section: Section, runs: Sequence[BenchmarkRun]) -> list[dict[str, Any]]:
    """Return a table per number of shots (``shots``, ``baseline`` and ``rows``) from the finished runs."""
    tables = []
    for shots in section.shots:
        found = {
            row.title: [_results(run) for run in runs if (run.row, run.shots) == (row, shots) and run.is_finished]
            for row in section.rows
        }
        found = {title: results for title, results in found.items() if results}
        if found:
            tables.append(_table(section, shots, found))
    return tables


def _table(section: Section, shots: int, found: dict[str, list[dict]]) -> dict[str, Any]:
    some = next(iter(found.values()))
    references = some[0].get('references', {}) if section.baseline is None else {}
    against = section.baseline
    if section.baseline is None and some[0].get('paired'):
        against = some[0]['paired']['against'].replace('_', ' ')
    rows = [_row(title, results, found, section.baseline) for title, results in found.items()]
    rows += [
        dict(title=name.replace('_', ' '), runs=1, draws=len(one['draws']), **_means([one['draws']]), difference=None)
        for name, one in references.items()
    ]
    return dict(shots=shots, baseline=against, rows=rows)


def _row(title: str, results: list[dict], found: dict[str, list[dict]], baseline: str | None) -> dict[str, Any]:
    draws = [one['draws'] for one in results]
    if baseline is None:
        paired = results[0].get('paired')
        difference = None if paired is None else dict(paired['draws'], bootstrap=paired['bootstrap'])
    else:
        other = {one['seed']: one['draws'] for one in found.get(baseline, ())}
        pairs = [
            (mine, theirs)
            for one in results
            for mine, theirs in zip(one['draws'], other.get(one['seed'], ()), strict=False)
        ]
        difference = _differences(pairs) if pairs and title != baseline else None
    learned = {draw['generator_check']['learned'] for one in draws for draw in one if draw.get('generator_check')}
    return dict(
        title=title,
        runs=len(results),
        draws=sum(map(len, draws)),
        **_means(draws),
        difference=difference,
        learned=None if not learned else learned == {True},
    )


def _differences(pairs: Sequence[tuple[dict, dict]]) -> dict[str, Any]:
    return {
        metric: dict(
            mean=sum(mine[metric] - theirs[metric] for mine, theirs in pairs) / len(pairs),
            ci95=half_width_95([mine[metric] - theirs[metric] for mine, theirs in pairs]),
        )
        for metric in ('HM', 'FSL', 'AUSUC')
    }


def _means(runs: Sequence[Sequence[dict]]) -> dict[str, Any]:
    """Return the means over all draws of all runs, and the 95% interval of HM over them."""
    draws = [draw for run in runs for draw in run]
    means = {key: sum(draw[key] for draw in draws) / len(draws) for key in METRIC_NAMES}
    return dict(means, ci95=half_width_95([draw['HM'] for draw in draws]))


def _results(run: BenchmarkRun) -> dict[str, Any]:
    return json.loads((run.work_dir / 'results.json').read_text(encoding='utf-8'))
