"""Read the work directory of a run."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.checkpoints.meta import check_outcomes
from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine.curriculum.plan import Phase, plan_phases
from avzoo.engine.history import FILE_NAME, read_history
from avzoo.evaluation.functional import gfsl_accuracies
from avzoo.evaluation.linear_references import predictions_file
from avzoo.evaluation.paired import check_same_classes
from avzoo.evaluation.predictions import read_predictions
from avzoo.report.result_kinds import TOLERANCE, check_phase_kinds, check_results
from avzoo.report.run_settings import settings_of
from avzoo.utils.counts import number_of
from avzoo.utils.errors import CheckpointError, ConfigError, DataError
from avzoo.utils.host_errors import host_error
from avzoo.utils.printable import printable
from avzoo.utils.regular_files import read_json


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Its work directory.
        results: Content of ``results.json``.
        phases: What the phases decided, by name; from ``curriculum.json``.
        configured: The settings of its config that determine the results, by dotted key; from ``curriculum.json``.
        settings: The same with the choices of validation (``curriculum.choices``), as actually used by the run.
    """

    folder: Path
    results: dict[str, Any]
    phases: dict[str, dict[str, Any]] = field(default_factory=dict)
    configured: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.folder.name

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the results come from; empty for runs of older versions."""
        return self.results.get('provenance') or {}

    @property
    def store(self) -> dict[str, Any]:
        """What the results record about the feature store: ``sha256``, ``features`` and ``class_vectors``, if known."""
        store = self.provenance.get('store')
        return store if isinstance(store, dict) else {}

    @property
    def feature_set(self) -> str:
        """The features in one line; empty if the store does not record them."""
        features = self.store.get('features')
        return ', '.join(f'{m} {name}' for m, name in sorted(features.items())) if isinstance(features, dict) else ''

    @property
    def class_vectors(self) -> str:
        """Names of the store's class vectors in one line; empty if the results do not record them."""
        names = self.store.get('class_vectors')  # A list in older versions; later with what made each.
        return ', '.join(map(str, names)) if isinstance(names, list | dict) else ''

    @property
    def setting(self) -> str:
        """What it was tested on, as a sentence or two."""
        shots = self.results['num_shots']
        text = f'{self.results["dataset"]}, {number_of(shots, "shot")}.'
        return printable(f'{text} Features: {self.feature_set}.' if self.feature_set else text)

    @property
    def draws(self) -> list[int]:
        """The draws of stage 2 that were tested."""
        return [int(row['draw']) for row in self.results['draws']]

    @cached_property
    def predictions(self) -> list[dict[str, np.ndarray]]:
        """Predictions of each draw's test; empty if a draw has none.

        Raises:
            DataError: If they are damaged, or from a different test than the results.
        """
        paths = [self.folder / Phase(2, 'full', draw).name / 'predictions.npz' for draw in self.draws]
        return _read_tests(paths, self.results['draws'])

    def reference_predictions(self, name: str) -> list[dict[str, np.ndarray]]:
        """Predictions of a plain reference on each draw's test; empty if a draw has none."""
        paths = [predictions_file(self.folder / 'references', name, draw) for draw in self.draws]
        return _read_tests(paths, self.results['references'][name].get('draws') or [])

    @property
    def config_name(self) -> str:
        """Name of the config, from the copy that each phase keeps; empty if there is none."""
        copies = sorted(self.folder.glob('stage*/*.py'))
        return copies[0].stem if copies else ''

    @property
    def training_seconds(self) -> float | None:
        """Seconds of all phases, without trials that were not kept; ``None`` for older versions without this record."""
        return _positive(self.provenance.get('training_seconds'))

    @property
    def parameters(self) -> int | None:
        """Number of the model's parameters; ``None`` for runs of older versions without this record."""
        count = _positive(self.provenance.get('parameters'))
        return None if count is None else int(count)

    @cached_property
    def histories(self) -> dict[str, list[dict[str, Any]]]:
        """The numbers of each epoch, by phase name; phases without any are left out.

        Losses and metrics are in the checkpoints; seconds and memory, and everything if a checkpoint is missing, are in
        ``history.jsonl``.
        """
        found = {}
        for phase in plan_phases(tuple(self.draws)):
            lines = read_history(self.folder / phase.name / FILE_NAME, phase.name)
            logged = {line['epoch']: line for line in lines if line['kind'] == 'epoch'}
            history = self.checkpoints.get(phase.name, {}).get('history') or list(logged.values())
            entries = [entry for entry in history if type(entry.get('epoch')) is int]
            if entries:
                found[phase.name] = [_numbers(logged.get(entry['epoch'], {})) | _numbers(entry) for entry in entries]
        return found

    @property
    def scales(self) -> list[float]:
        """The factors that turn the scores of each draw into logits; empty if a checkpoint is missing."""
        names = [Phase(2, 'full', draw).name for draw in self.draws]
        known = self.checkpoints
        return [known[name]['scale'] for name in names] if known.keys() >= set(names) else []

    @property
    def checkpoints(self) -> dict[str, dict[str, Any]]:
        """The metadata in the last checkpoint of each phase, by name; phases without a readable one are left out.

        In addition to what training wrote, there is ``scale``, which turns scores into logits.
        """
        return {name: facts for name, facts in self._checkpoints.items() if not isinstance(facts, CheckpointError)}

    @property
    def damaged(self) -> list[str]:
        """What is wrong with the checkpoints that cannot be read."""
        return [str(facts) for facts in self._checkpoints.values() if isinstance(facts, CheckpointError)]

    @cached_property
    def _checkpoints(self) -> dict[str, dict[str, Any] | CheckpointError]:
        paths = {phase.name: self.folder / phase.name / 'last.pth' for phase in plan_phases(tuple(self.draws))}
        return {name: _facts_of(path) for name, path in paths.items() if path.is_file()}


_WITHOUT_STATE = 'Restore the file, or move it away: the results are shown without it.'
_HUGE = 1e30  # Larger values cannot have been measured, and cannot be drawn.


def read_run(folder: str | os.PathLike[str]) -> Run:
    """Read the work directory of a finished run.

    Raises:
        DataError: If there is none, or its results are not valid.
    """
    folder = Path(folder)
    folder = folder.parent if folder.name == 'results.json' else folder
    state_file = folder / 'curriculum.json'
    writes = 'Repeat the training command with --resume to write it.'
    results = _json(folder / 'results.json', writes if state_file.is_file() else 'Restore it.')
    check_results(results, str(folder / 'results.json'))
    state = _json(state_file, _WITHOUT_STATE) if state_file.is_file() else {}
    return Run(folder.resolve(), results, _phases(state, state_file), *settings_of(state, results.get('choices')))


def _facts_of(path: Path) -> dict[str, Any] | CheckpointError:
    """Return the metadata in a checkpoint, or why it cannot be read: a page of results does not depend on it."""
    try:
        checkpoint = load_checkpoint(path)
    except CheckpointError as error:
        if host_error(error):  # The machine lacks something; the file may be intact.
            raise
        return error
    return dict(checkpoint['meta'], scale=float(checkpoint['state_dict'].get('scale', 1.0)))


def _read_tests(paths: Sequence[Path], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, np.ndarray]]:
    """Read the predictions of each draw, whose metrics are in ``rows``; empty if a file is missing."""
    if not all(path.is_file() for path in paths):
        return []
    tests = [read_predictions(path) for path in paths]
    for path, one, row in zip(paths, tests, rows, strict=True):
        try:
            check_same_classes(one, tests[0])
        except DataError as error:
            raise DataError(f'{path} and {paths[0]}: {error}') from error
        found = gfsl_accuracies(one['scores'], one['label'], one['base_mask'], float(one['gamma']))
        wrong = next((key for key, value in found.items() if abs(value - row[key]) > TOLERANCE), None)
        if wrong:
            raise DataError(
                f'{path} is not from the test in results.json: it gives {wrong} {found[wrong]:.2f}, but the results '
                f'have {row[wrong]:.2f} for this draw. Copy the whole run again, or delete the file and test again.'
            )
    return tests


def _numbers(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the finite numbers of an entry of a history."""
    return {key: value for key, value in entry.items() if isinstance(value, int | float) and abs(value) < _HUGE}


def _positive(value: object) -> float | None:
    return value if isinstance(value, int | float) and 0 < value < _HUGE else None


def _phases(state: Any, path: Path) -> dict[str, dict[str, Any]]:
    """Return what the phases decided; empty if there is no state file."""
    phases = state.get('phases') if isinstance(state, dict) else None
    if phases is None:
        return {}
    try:
        check_outcomes(phases, f'{path}: phases')
        for name, phase in phases.items():
            check_phase_kinds(phase, f'{path}: phases.{name}')
    except ConfigError as error:
        raise DataError(f'{error} {_WITHOUT_STATE}') from error
    return phases


def _json(path: Path, cure: str) -> Any:
    try:
        return read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        begun = (path.parent / 'curriculum.json').is_file()
        where = 'Repeat the training command with --resume to finish it.' if begun else 'Give the --work-dir of a run.'
        if not begun and any(path.parent.glob('*/results.json')):
            where = f'There are runs in its subfolders: give those, e.g. {path.parent}/*.'
        raise DataError(f'{path.parent} has no {path.name}, so it holds no finished run. {where}') from None
    except (OSError, ValueError) as error:
        raise DataError(f'{path} cannot be read ({error}). {cure}') from error
