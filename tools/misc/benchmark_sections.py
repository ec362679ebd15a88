"""What avzoo's own benchmarks compare, and the runs that they need."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from avzoo.protocol import SHOTS

REPO = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        title: Its name in the table.
        config: Name of the config up to the data set, e.g. ``avgauss-nogen``.
        recipe: What follows the shots in the config's name, e.g. ``_gen``.
        options: Changes to the config, ``key=value``.
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
        work_dir: Where it writes its files.
        command: The command that starts or continues it.
    """

    row: Row
    shots: int
    seed: int
    work_dir: Path
    command: tuple[str, ...]

    @property
    def is_finished(self) -> bool:
        """Whether its results exist."""
        return (self.work_dir / 'results.json').is_file()


@dataclass(frozen=True)
class Section:
    """A part of the page: one table per number of shots.

    Attributes:
        name: Its key in ``docs/benchmarks.json``, and its mark on the page.
        dataset: ``synth``, or ``custom`` for a given store.
        rows: What is compared.
        baseline: Title of the row that the others are compared with, draw by draw; ``None``: strongest reference.
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
_WITHOUT = ('model.generator=None', 'model.conditioner=None', "curriculum.full.fit=('head',)")
_REAL_DIFFUSION = (
    Row('AV-DIFF, fitted generator', 'avdiff', '_gen'),
    Row('AV-DIFF, shuffled text', 'avdiff', '_gen', ('model.conditioner.order=shuffled',)),
    Row('AV-DIFF, no generator', 'avdiff', '_gen', _WITHOUT),
)
SECTIONS = (
    Section('real', 'custom', _GAUSS[:1]),
    Section('synth', 'synth', _GAUSS[:1]),
    Section('real_generator', 'custom', _GAUSS, 'AV-Gauss, no generator'),
    Section('synth_generator', 'synth', _GAUSS, 'AV-Gauss, no generator'),
    Section('synth_diffusion', 'synth', _DIFFUSION, 'AV-DIFF, no generator', shots=(1, 5), seeds=(42, 43, 44), draws=3),
    Section('real_diffusion', 'custom', _REAL_DIFFUSION, 'AV-DIFF, no generator', shots=(1, 5)),
)
