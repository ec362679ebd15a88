"""The small file that records the progress of a curriculum."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from avzoo.checkpoints.meta import check_outcomes
from avzoo.config.differences import first_difference
from avzoo.config.types import check_present, check_types
from avzoo.engine.curriculum.plan import Phase, plan_phases
from avzoo.utils.errors import AvzooError, CheckpointError, ConfigError, shortened
from avzoo.utils.files import atomic_write_text
from avzoo.utils.regular_files import read_json

FILE_NAME = 'curriculum.json'

# Settings that change how a run computes, not its results.
_FREE_SETTINGS = (
    'launcher',
    'log_level',
    'default_hooks',
    'env_cfg',
    'visualizer',
    'vis_backends',
    'work_dir',
    'resume',
)
# The store is identified by its digest: it may have been moved when a run is resumed.
_PATHS = ('data_root',)
# What to do if one of these has changed.
_CURES = {
    'processes': 'Start the same number of processes as before, since it decides what each of them draws',
    'curriculum.base.max_epochs': 'A run cannot be prolonged because its later phases depend on these epochs: '
    'resume with the old number',
    'curriculum.full.max_epochs': 'A run cannot be prolonged because its later phases depend on these epochs: '
    'resume with the old number',
}
_FREE_CURRICULUM_SETTINGS = ('keep_optimizer',)
_FREE_LOADER_SETTINGS = ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor')
_FREE_DATASET_SETTINGS = ('device', 'resident')


def deciding_settings(cfg: Config) -> dict[str, Any]:
    """Return the settings of a config that determine the results."""
    settings = {k: v for k, v in cfg.to_dict().items() if k not in _FREE_SETTINGS}
    settings['curriculum'] = {k: v for k, v in settings['curriculum'].items() if k not in _FREE_CURRICULUM_SETTINGS}
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        settings[loader] = {k: v for k, v in settings[loader].items() if k not in _FREE_LOADER_SETTINGS}
        dataset = settings[loader]['dataset']
        settings[loader]['dataset'] = {k: v for k, v in dataset.items() if k not in _FREE_DATASET_SETTINGS}
    return settings


@dataclass(frozen=True)
class _Content:
    """The types of the entries of ``curriculum.json``."""

    settings: dict
    phases: dict
    tests: dict[str, dict]
    store_sha256: str
    processes: int
    choices: list[dict] = field(default_factory=list)


@dataclass(frozen=True)
class _Choice:
    """The types of the entries of a choice that are read again."""

    chosen: dict


class CurriculumState:
    """What finished phases decided, in ``curriculum.json`` of the work directory.

    Args:
        work_dir: Folder of the curriculum.
        settings: The settings that determine the results; they must not change between the parts of one run.
        processes: The number of processes of the run, which affects the results too; ``None`` to read only.
    """

    def __init__(
        self, work_dir: str | os.PathLike[str], settings: dict[str, Any], processes: int | None = None
    ) -> None:
        self.path = Path(work_dir) / FILE_NAME
        self.processes = processes
        self.settings = json.loads(json.dumps(settings))
        self.phases: dict[str, dict] = {}
        self.tests: dict[str, dict] = {}
        self.store_sha256 = ''
        self.choices: list[dict] = []

    @property
    def exists(self) -> bool:
        """Whether the state of an earlier run is here."""
        return self.path.is_file()

    def read(self) -> None:
        """Read an earlier run's state.

        Raises:
            ConfigError: If the config or the number of processes has changed since.
        """
        content = _read(self.path, 'Restore it, or train again in another --work-dir.')
        before, self.phases, self.tests = content['settings'], content['phases'], content['tests']
        self.store_sha256, processes = content['store_sha256'], content['processes']
        self.choices = content.get('choices', [])
        self.processes = processes if self.processes is None else self.processes
        changed = first_difference(_compared(before, processes), _compared(self.settings, self.processes))
        if changed:
            cure = _CURES.get(changed.path, 'Resume with the same settings')
            raise ConfigError(
                f'{self.path.parent} was started with other settings: {changed}. {cure}, or choose another --work-dir.'
            )

    def check_stage_one(self) -> None:
        """Refuse stage 2 before stage 1 is finished."""
        missing = [phase.name for phase in plan_phases((), 1) if phase.name not in self.phases]
        if missing:
            raise AvzooError(
                f'Stage 2 gets its epochs and its calibration from stage 1, but {self.path.parent} has no '
                f'finished {missing[0]}. Run without --stage, or with --stage 1 first.'
            )

    def write(self) -> None:
        """Write the state atomically."""
        content = dict(
            phases=self.phases,
            tests=self.tests,
            store_sha256=self.store_sha256,
            processes=self.processes,
            choices=self.choices,
            settings=self.settings,
        )
        atomic_write_text(self.path, json.dumps(content, indent=2) + '\n')


def _compared(settings: dict[str, Any], processes: int | None) -> dict[str, Any]:
    """Return what must be the same when a run is resumed."""
    return dict({key: value for key, value in settings.items() if key not in _PATHS}, processes=processes)


def finished_phases(work_dir: str | os.PathLike[str]) -> list[Phase]:
    """Return the phases that a work directory's ``curriculum.json`` lists as finished, in order.

    Raises:
        CheckpointError: If the folder holds no run.
        AvzooError: If the file is damaged.
    """
    path = Path(work_dir) / FILE_NAME
    if not path.is_file():
        raise CheckpointError(
            f'{work_dir} holds no run ({FILE_NAME} is missing). Train with tools/train.py, or name a checkpoint file.'
        )
    content = _read(path, 'Restore it, or name a checkpoint file of the run.')
    return [Phase.from_name(name) for name in content['phases']]


def _read(path: Path, cure: str) -> dict[str, Any]:
    """Read and check the state file."""
    try:
        content = read_json(path)
        if not isinstance(content, dict):
            raise ValueError('it does not hold a dict')
        check_present(content, _Content, FILE_NAME)
        check_types(content, _Content, '')
        for choice in content.get('choices', []):
            check_present(choice, _Choice, 'choices')
            check_types(choice, _Choice, 'choices')
        check_outcomes(content['phases'], 'phases')
        for name in content['phases']:
            Phase.from_name(name)
    except (ValueError, ConfigError) as error:
        raise AvzooError(f'{path} is damaged ({shortened(error)}). {cure}') from error
    return content
