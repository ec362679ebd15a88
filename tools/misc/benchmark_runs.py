"""The runs of avzoo's own benchmarks, and the numbers that they leave."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from avzoo.evaluation.functional import half_width_95
from avzoo.protocol import METRIC_NAMES, SHOTS

REPO = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        title: What the table calls it.
        config: Name of the config up to the data set, e.g. ``avgauss-nogen``.
        recipe: What follows the shots in the config's name, e.g. ``_gen``.
        options: Changes of the config, ``key=value``.
    """

    title: str
    config: str
    recipe: str = ''
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class BenchmarkRun:
    """One run of ``tools/train.py``.

    Attributes:
        row: Its row.
        shots: Videos per novel class.
        seed: Random seed.
        work_dir: Where it leaves its files.
        command: What starts or continues it.
    """

    row: Row
    shots: int
    seed: int
    work_dir: Path
    command: tuple[str, ...]

    @property
    def is_finished(self) -> bool:
        """Whether its results are there."""
        return (self.work_dir / 'results.json').is_file()


@dataclass(frozen=True)
class Section:
    """A part of the page: a table for each number of shots.

    Attributes:
        name: Its key in ``docs/benchmarks.json``, and its mark on the page.
        dataset: ``synth``, or ``custom`` for the store that is given.
        rows: What is compared.
        baseline: Title of the row that the others are compared with, draw by draw; ``None``: the strongest reference.
        shots: Videos per novel class.
        seeds: Random seeds.
        draws: Draws of the shots in each run.
    """

    DRAWS: ClassVar[int] = 8

    name: str
    dataset: str
    rows: tuple[Row, ...]
    baseline: str | None = None
    shots: tuple[int, ...] = SHOTS
    seeds: tuple[int, ...] = (42,)
    draws: int = DRAWS

    def runs(self, work_dir: Path, data_root: str) -> list[BenchmarkRun]:
        """Return every run of the section."""
        return [
            self._run(work_dir, data_root, row, shots, seed)
            for shots in self.shots
            for row in self.rows
            for seed in self.seeds
        ]

    def _run(self, work_dir: Path, data_root: str, row: Row, shots: int, seed: int) -> BenchmarkRun:
        name = f'{row.config}_{self.dataset}_{shots}shot{row.recipe}'
        variant = ''.join(f'+{option.rpartition(".")[2]}' for option in row.options)
        folder = work_dir / f'{name}{variant}' / f'draws{self.draws}_seed{seed}'
        config = f'configs/{row.config.split("-")[0]}/{name}.py'
        options = (f'data_root={data_root}', f'curriculum.num_draws={self.draws}', *row.options)
        if self.baseline is not None and row != self.rows[0]:  # The table shows no references.
            options += ('curriculum.references=[]',)
        command = (
            sys.executable,
            str(REPO / 'tools/train.py'),
            str(REPO / config),
            '--work-dir',
            str(folder),
            '--seed',
        )
        return BenchmarkRun(row, shots, seed, folder, (*command, str(seed), '--resume', '--cfg-options', *options))


_GAUSS = (
    Row('AV-Gauss', 'avgauss'),
    Row('AV-Gauss, shuffled text', 'avgauss', options=('model.conditioner.order=shuffled',)),
    Row('AV-Gauss, no text', 'avgauss', options=('model.generator.text=False',)),
    Row('AV-Gauss, no generator', 'avgauss-nogen'),
)
_DIFFUSION = (
    Row('AV-DIFF, fitted generator', 'avdiff', '_gen'),
    Row('AV-DIFF, shuffled text', 'avdiff-shuffled', '_gen'),
    Row('AV-DIFF, no generator', 'avdiff-nogen', '_gen'),
)
SECTIONS = (
    Section('real', 'custom', _GAUSS[:1]),
    Section('synth', 'synth', _GAUSS[:1]),
    Section('real_generator', 'custom', _GAUSS, 'AV-Gauss, no generator'),
    Section('synth_generator', 'synth', _GAUSS, 'AV-Gauss, no generator'),
    Section('synth_diffusion', 'synth', _DIFFUSION, 'AV-DIFF, no generator', shots=(1, 5), seeds=(42, 43, 44), draws=3),
)


def gather_section(section: Section, runs: Sequence[BenchmarkRun]) -> list[dict[str, Any]]:
    """Return a table for each number of shots, ``shots``, ``baseline`` and ``rows``, from the finished runs."""
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
