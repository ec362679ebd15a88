"""What the user sees while the curriculum runs."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from mmengine.config import Config
from mmengine.dist import is_main_process

from avzoo.config.settings import LOADERS
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.window import Window
from avzoo.engine.curriculum.feature_check import check_features, describe_windows
from avzoo.engine.curriculum.plan import Phase, epoch_steps, phase_epochs
from avzoo.engine.log import log_line
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.evaluation.calibration import calibration_warning
from avzoo.evaluation.functional import DEFAULT_GAMMA_GRID
from avzoo.protocol import TABLE_METRICS, train_splits
from avzoo.utils.tables import clock


def warn_of_features(cfg: Config) -> None:
    """Warn about features from which nothing can be learned, and refuse those that are not ordinary numbers.

    Also report how many videos are so long that only a part of them is used.
    """
    store, modalities = FeatureStore(cfg.data_root), tuple(cfg.model.encoders)
    trained = np.concatenate([store.split(cfg.num_shots, name) for name in train_splits(1)])
    for warning in check_features(store, modalities, trained, cfg.data_preprocessor.get('scale')):
        log_line(f'WARNING: {warning}')
    windows = {name: cfg[name].dataset.get('window') or {} for name in LOADERS}
    if cut := describe_windows(store, modalities, {k: Window(**v) for k, v in windows.items() if v.get('long_only')}):
        log_line(cut)


def warn_of_calibration(cfg: Config, metrics: Mapping[str, float]) -> None:
    """Warn if the search over the grid found no gamma that suits the scores."""
    if cfg.curriculum.get('calibration', 'gamma') == 'gamma':
        warning = calibration_warning(metrics, cfg.val_evaluator.get('gamma_grid', DEFAULT_GAMMA_GRID))
        if warning:
            log_line(f'WARNING: {warning}')


@dataclass(frozen=True)
class Place:
    """The place of an alternative's trial in the run.

    Attributes:
        name: Which choice and alternative it is.
        later: Training steps still to come after it, by sub-stage.
    """

    name: str = ''
    later: Mapping[str, int] = field(default_factory=dict)


def training_steps(cfg: Config, phases: Sequence[Phase], jobs: int = 1) -> Counter[str]:
    """Return the training steps of undecided phases, by sub-stage.

    Draws trained at the same time (``jobs`` of them) count once.
    """
    steps = Counter[str]()
    for phase in _one_by_one(phases, jobs):
        if epochs := phase_epochs(cfg, phase, {}):
            steps[phase.substage] += epochs * epoch_steps(cfg, phase)
    return steps


class Progress:
    """Report phase, epoch, loss, validation and the time left, one line per epoch.

    Among the validation metrics, the one that chooses the sub-stage's epoch comes first.

    The time left is estimated from the training steps still to come, at the pace of the same sub-stage so far. Stage 2
    runs for as many epochs as stage 1 will choose, so before that it is an upper bound. With draws side by side, those
    that wait for the current one count. In the trial of an alternative, later trials and phases count too.

    Args:
        cfg: The config of the whole curriculum.
        phases: All phases of this run.
        outcomes: What finished phases decided; read again for each line.
        silent: Report nothing.
        jobs: Number of draws trained side by side.
        place: The place of the trial that these phases belong to.
        pace: Seconds per step so far, by sub-stage; it is kept up to date.
    """

    def __init__(
        self,
        cfg: Config,
        phases: list[Phase],
        outcomes: dict[str, dict],
        *,
        silent: bool = False,
        jobs: int = 1,
        place: Place | None = None,
        pace: dict[str, float] | None = None,
    ) -> None:
        self.silent, self.jobs = silent, jobs
        self.cfg, self.phases, self.outcomes = cfg, phases, outcomes
        self._steps = {p: epoch_steps(cfg, p) for p in phases[1:]}  # Of epochs to come.
        self._place, self._pace = place or Place(), {} if pace is None else pace
        self._mark = (time.monotonic(), 0)

    def begin(self, phase: Phase, steps_done: int) -> None:
        """Start the clock of a phase, some steps of which may have been done before an interruption."""
        self.phase, self._mark = phase, (time.monotonic(), steps_done)

    def report(self, runner: PhaseRunner, history: list[dict], partial: dict | None) -> None:
        """Write the line for the last epoch of ``history``, or for a part of an epoch."""
        if self.silent or not is_main_process():
            return
        phase, position = self.phase, self.phases.index(self.phase) + 1
        elapsed, steps = time.monotonic() - self._mark[0], runner.iter - self._mark[1]
        if steps:
            self._pace[phase.substage] = elapsed / steps
        epoch = len(history) + (partial is not None)
        entry = partial or history[-1]
        parts = [self._place.name] if self._place.name else []
        parts.append(f'[{position}/{len(self.phases)}] {phase.name:<17} epoch {epoch:>2}/{runner.max_epochs}')
        if partial:
            parts.append(f'step {partial["step"]}/{len(runner.train_dataloader)}')
        if entry['loss'] is not None:
            parts.append(f'loss {entry["loss"]:.4f}{_parts_of_loss(entry)}')
        shown = dict.fromkeys([self.cfg.curriculum[phase.substage].monitor, *TABLE_METRICS])  # Each once.
        parts += [f'{k} {entry[k]:.2f}' for k in shown if k in entry]
        if not partial and entry['loss'] is not None:
            parts.append(f'lr {entry["lr"]:.1e}')
        parts.append(f'left {self._clock(runner)}')
        log_line('  '.join(parts))

    def _clock(self, runner: PhaseRunner) -> str:
        pace_now = self._pace.get(self.phase.substage, 0.0)
        left = (runner.max_iters - runner.iter) * pace_now
        steps = Counter(self._place.later)
        for phase in self._to_come():
            steps[phase.substage] += phase_epochs(self.cfg, phase, self.outcomes) * self._steps[phase]
        return clock(left + sum(n * self._pace.get(substage, pace_now) for substage, n in steps.items()))

    def _to_come(self) -> list[Phase]:
        """Return the phases whose time is still to come."""
        later = self.phases[self.phases.index(self.phase) + 1 :]
        return _one_by_one(later, self.jobs, 0 if self.phase.draw is None else self.jobs - 1)


def _one_by_one(phases: Sequence[Phase], jobs: int, beside: int = 0) -> list[Phase]:
    """Leave out draws trained alongside another: the first ``beside`` ones, and then all but every j-th."""
    draws = [phase for phase in phases if phase.draw is not None]
    return [phase for phase in phases if phase.draw is None] + draws[beside::jobs]


def report_stage_one(decided: dict) -> None:
    """Report that stage 1 is finished, what validation chose, and how to continue.

    Args:
        decided: What its full sub-stage decided.
    """
    chose = ''
    if decided.get('metrics'):
        shown = '  '.join(f'{key} {decided["metrics"][key]:.2f}' for key in TABLE_METRICS)
        chose = f' Validation chose epoch {decided["best_epoch"]} of {decided["epochs"]}: {shown}.'
    log_line(
        f'Stage 1 is finished.{chose} Repeat the command with --resume in place of --stage 1 to get '
        'the table of test results.'
    )


def _parts_of_loss(entry: dict) -> str:
    """Return the parts of a loss as text, if there are several."""
    parts = [f'{name.removeprefix("loss_")} {value:.4f}' for name, value in entry.items() if name.startswith('loss_')]
    return f' ({", ".join(parts)})' if len(parts) > 1 else ''
