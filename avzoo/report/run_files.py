"""Read what a run left in its work directory."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.checkpoints.meta import check_outcomes
from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine.curriculum.plan import Phase, plan_phases
from avzoo.evaluation.linear_references import predictions_file
from avzoo.evaluation.predictions import read_predictions
from avzoo.report.result_kinds import check_generator_kinds, check_results
from avzoo.utils.errors import ConfigError, DataError
from avzoo.utils.regular_files import read_json


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Its work directory.
        results: Content of ``results.json``.
        phases: What the phases decided, by name; from ``curriculum.json``.
        settings: The settings that decide the numbers, by dotted keys; from ``curriculum.json``.
    """

    folder: Path
    results: dict[str, Any]
    phases: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.folder.name

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the results come from; empty for a run of an older version."""
        return self.results.get('provenance') or {}

    @property
    def store(self) -> dict[str, Any]:
        """What the results say of the feature store: ``sha256``, ``features`` and ``class_vectors``, where known."""
        store = self.provenance.get('store')
        return store if isinstance(store, dict) else {}

    @property
    def feature_set(self) -> str:
        """What the features are, in one line; empty where the store does not say it."""
        features = self.store.get('features')
        return ', '.join(f'{m} {name}' for m, name in sorted(features.items())) if isinstance(features, dict) else ''

    @property
    def draws(self) -> list[int]:
        """The draws of stage 2 that were tested."""
        return [int(row['draw']) for row in self.results['draws']]

    @cached_property
    def predictions(self) -> list[dict[str, np.ndarray]]:
        """Predictions of each draw's test; empty where a draw has none."""
        paths = [self.folder / Phase(2, 'full', draw).name / 'predictions.npz' for draw in self.draws]
        return [read_predictions(path) for path in paths] if all(path.is_file() for path in paths) else []

    def reference_predictions(self, name: str) -> list[dict[str, np.ndarray]]:
        """Predictions of a plain reference on each draw's test; empty where a draw has none."""
        paths = [predictions_file(self.folder / 'references', name, draw) for draw in self.draws]
        return [read_predictions(path) for path in paths] if all(path.is_file() for path in paths) else []

    @property
    def config_name(self) -> str:
        """Name of the config, by the copy that each phase keeps; empty where there is none."""
        copies = sorted(self.folder.glob('stage*/*.py'))
        return copies[0].stem if copies else ''

    @property
    def scales(self) -> list[float]:
        """What the scores of each draw are multiplied by to be logits; empty where a checkpoint is gone."""
        names = [Phase(2, 'full', draw).name for draw in self.draws]
        return [self.checkpoints[name]['scale'] for name in names if name in self.checkpoints]

    @cached_property
    def checkpoints(self) -> dict[str, dict[str, Any]]:
        """The facts in the last checkpoint of each phase, by the phase's name; phases without one are left out.

        Beside what training wrote: ``num_parameters``, and ``scale``, by which scores become logits.
        """
        found = {}
        for phase in plan_phases(tuple(self.draws)):
            path = self.folder / phase.name / 'last.pth'
            if path.is_file():
                checkpoint = load_checkpoint(path)
                state = checkpoint['state_dict']
                found[phase.name] = dict(
                    checkpoint['meta'],
                    num_parameters=sum(value.numel() for value in state.values()),
                    scale=float(state.get('scale', 1.0)),
                )
        return found


# Config keys that say where a run is, not what it is.
_PLACES = ('work_dir', 'data_root', 'load_from', 'resume', 'launcher')


def flat(value: Any, prefix: str = '') -> dict[str, Any]:
    """Return nested dicts as one of dotted keys, without the keys that name places."""
    if not isinstance(value, Mapping) or not value:
        return {prefix: value} if prefix else {}
    below = {f'{prefix}.{key}' if prefix else str(key): item for key, item in value.items() if key not in _PLACES}
    return {name: leaf for key, item in below.items() for name, leaf in flat(item, key).items()}


def read_run(folder: str | os.PathLike[str]) -> Run:
    """Read the work directory of a finished run.

    Raises:
        DataError: If there is none, or its results are not what a run writes.
    """
    folder = Path(folder)
    folder = folder.parent if folder.name == 'results.json' else folder
    results = _json(folder / 'results.json')
    check_results(results, str(folder / 'results.json'))
    state_file = folder / 'curriculum.json'
    state = _json(state_file) if state_file.is_file() else {}
    settings = state.get('settings') if isinstance(state, dict) else None
    values = flat(settings) if isinstance(settings, dict) else {}
    return Run(folder.resolve(), results, _phases(state, state_file), values)


def _phases(state: Any, path: Path) -> dict[str, dict[str, Any]]:
    """Return what the phases decided; nothing where there is no state file."""
    phases = state.get('phases') if isinstance(state, dict) else None
    if phases is None:
        return {}
    try:
        check_outcomes(phases, f'{path}: phases')
        for phase in phases.values():
            check_generator_kinds(phase.get('generator_check'))
    except ConfigError as error:
        raise DataError(f'{error} Restore the file.') from error
    return phases


def _json(path: Path) -> Any:
    try:
        return read_json(path)
    except FileNotFoundError:
        raise DataError(
            f'{path.parent} has no {path.name}, so no finished run is there. Train first, or name the --work-dir of '
            'a run.'
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(
            f'{path} cannot be read ({error}). The same training command with --resume writes it.'
        ) from error
