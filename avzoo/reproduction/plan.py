"""The runs that a table of the AV-DIFF paper needs, and the progress of each."""

import copy
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from mmengine.config import Config

from avzoo.config.load import load_config
from avzoo.engine.curriculum.state import CurriculumState, deciding_settings
from avzoo.protocol import TABLE_METRICS
from avzoo.utils.errors import AvzooError, ConfigError
from avzoo.utils.files import sha256_of
from avzoo.utils.regular_files import read_json
from avzoo.zoo.benchmarks import BENCHMARKS
from avzoo.zoo.index import zoo_root

# The rows of each table in the paper's order, as config names up to the data set. `avdiff-nogen` is not in the paper.
TABLES = {
    2: ('attention_fusion', 'perceiver', 'mbt', 'tcaf', 'protogan', 'sldg', 'tsl', 'hip', 'zorro', 'avca', 'avdiff'),
    3: ('avdiff-full', 'avdiff-cross', 'avdiff-self', 'avdiff-alternate', 'avdiff'),
    4: ('avdiff-wgan', 'avdiff-nogen', 'avdiff'),
    5: ('avdiff-audio', 'avdiff-visual', 'avdiff'),
    6: ('avdiff-avprot', 'avdiff'),
}
DATASETS = (*BENCHMARKS, 'custom')

Status = Literal['finished', 'unfinished', 'not run']


@dataclass(frozen=True)
class Run:
    """One training run of a table.

    Attributes:
        row: The table's row, e.g. ``avdiff-cross``.
        dataset: Key of the data set, e.g. ``ucf``.
        shots: Videos per novel class.
        seed: Random seed.
        work_dir: Folder with the run's files.
        options: Changes to the config, ``key=value``.
    """

    row: str
    dataset: str
    shots: int
    seed: int
    work_dir: Path
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the config and of the model in the index."""
        return f'{self.row}_{self.dataset}_{self.shots}shot'

    @property
    def config(self) -> Path:
        """The config file."""
        return zoo_root() / 'configs' / self.row.split('-')[0] / f'{self.name}.py'

    @property
    def command(self) -> list[str]:
        """The command that starts or continues the run."""
        options = ['--cfg-options', *self.options] if self.options else []
        return [
            sys.executable,
            str(zoo_root() / 'tools' / 'train.py'),
            str(self.config),
            '--work-dir',
            str(self.work_dir),
            '--seed',
            str(self.seed),
            '--resume',
            *options,
        ]

    def load_config(self) -> Config:
        """Read the config as the run sees it."""
        cfg = copy.deepcopy(_load_config(self.config, self.options))
        cfg.randomness.seed = self.seed
        return cfg

    def status(self) -> Status:
        """Return the progress of the run.

        Raises:
            ConfigError: If the work directory holds a run with different settings or on a different store.
        """
        cfg = self.load_config()
        state = CurriculumState(self.work_dir, deciding_settings(cfg))
        if not state.exists:
            return 'not run'
        state.read()
        store = Path(cfg.data_root, 'store.json')
        if store.is_file() and state.store_sha256 and sha256_of(store) != state.store_sha256:
            raise ConfigError(
                f'{self.work_dir} holds a run on a store other than {store.parent}. Specify its store with '
                '--cfg-options data_root=..., or choose another --work-dir.'
            )
        tested = {str(draw) for draw in range(cfg.curriculum.num_draws)} <= state.tests.keys()
        return 'finished' if tested and (self.work_dir / 'results.json').is_file() else 'unfinished'

    def results(self) -> dict[str, Any]:
        """Return the content of the finished run's ``results.json``."""
        path = self.work_dir / 'results.json'
        try:
            results = read_json(path)
            for entry in (results, *results.get('references', {}).values()):
                if not all(isinstance(entry['aggregate'][key], int | float) for key in TABLE_METRICS):
                    raise ValueError('B, N, HM or FSL is not a number')
            if results.get('paired'):
                _check_paired(**results['paired'])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise AvzooError(
                f'{path} is damaged ({type(error).__name__}: {error}). Delete it and run the table again: '
                'this tests the run again, without training.'
            ) from error
        return results


def plan_runs(
    table: int,
    datasets: Sequence[str],
    shots: Sequence[int],
    seeds: Sequence[int],
    work_dir: str | os.PathLike[str],
    options: Sequence[str] = (),
) -> list[Run]:
    """Return every run of a table, finished or not.

    Args:
        table: Number of the table in the paper, from 2 to 6.
        datasets: Keys of data sets, e.g. ``('synth',)``.
        shots: Videos per novel class; Tables 3 to 6 have 5.
        seeds: Random seeds.
        work_dir: Folder for all runs; each is in ``NAME/seedS`` below it. Tables share the runs they have in common.
        options: Changes to every config, ``key=value``.
    """
    if table not in TABLES:
        raise ConfigError(f'There is no table {table}. Choose one of {", ".join(map(str, TABLES))}.')
    if table != 2 and set(shots) != {5}:
        raise ConfigError(f'Table {table} has 5 shots, as its configs do. Omit --shots.')
    runs = [
        Run(row, dataset, k, seed, Path(work_dir) / f'{row}_{dataset}_{k}shot' / f'seed{seed}', tuple(options))
        for dataset in datasets
        for k in shots
        for row in TABLES[table]
        for seed in seeds
    ]
    missing = [run for run in runs if not run.config.is_file()]
    if missing:
        has = sorted(path.stem for path in missing[0].config.parent.glob(f'{missing[0].row}_*shot.py'))
        raise ConfigError(
            f'Table {table} needs the config {missing[0].name}, which does not exist. Choose --dataset '
            f'and --shots among: {", ".join(has) or "none yet"}.'
        )
    return runs


def _check_paired(against: str, draws: dict[str, dict], bootstrap: dict[str, dict] | None) -> None:
    """Refuse differences to a reference, as written by a run, that are not numbers."""
    means = [draws[key]['mean'] for key in ('HM', 'FSL')]
    ends = [bootstrap[key][end] for key in ('HM', 'FSL') for end in ('low', 'high')] if bootstrap else []
    if not isinstance(against, str) or not all(isinstance(value, int | float) for value in means + ends):
        raise ValueError(f'a difference to {against} is not a number')


@cache
def _load_config(path: Path, options: tuple[str, ...]) -> Config:
    """Read a config once for all seeds."""
    return load_config(path, options)
