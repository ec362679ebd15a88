"""The measurements of a phase during training, as data next to its checkpoints."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from avzoo.engine.hooks import IntervalRuntimeInfoHook, PhaseHook
from avzoo.engine.log import log_line
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.evaluation.report import plain
from avzoo.utils.errors import AvzooError
from avzoo.utils.files import atomic_write_text
from avzoo.utils.regular_files import lines_of

if sys.platform != 'win32':
    import resource

FILE_NAME = 'history.jsonl'


class HistoryHook(Hook):
    """Keep ``history.jsonl`` in the folder of a phase: a line after each epoch, and one per interval of steps.

    A line is an object: ``kind`` (``epoch`` or ``step``), ``phase``, ``epoch`` (from 1), ``step`` (of the phase),
    ``lr``, ``loss`` and its parts, ``seconds`` since the end of the previous epoch, and ``memory_mb``, the peak of the
    process so far (of the GPU, if it trains there). Epoch lines hold means over steps and processes, and the validation
    metrics; step lines hold means since the previous step line, in the main process.

    A run is resumed from ``last.pth`` alone. Lines beyond its epochs are then dropped; an epoch whose line was lost
    gets it again, without time and memory. A file that cannot be read or written does not stop training.

    Args:
        phase: Keeps the losses and the metrics.
    """

    priority = 'LOWEST'  # After the phase's checkpoint: no line is ahead of it.

    def __init__(self, phase: PhaseHook) -> None:
        self.phase = phase
        self._ended = time.monotonic()
        self._told: dict[str, tuple[torch.Tensor, int]] = {}
        self._broken = False

    def before_train(self, runner: PhaseRunner) -> None:
        # At this interval the log waits for the device anyway; nothing else does.
        self._interval = next((h.interval for h in runner.hooks if isinstance(h, IntervalRuntimeInfoHook)), 0)
        self._path = Path(runner.work_dir) / FILE_NAME
        if is_main_process():
            self._try(self._repair, runner)

    def before_train_epoch(self, runner: PhaseRunner) -> None:
        self._told = {}

    def after_train_iter(
        self, runner: PhaseRunner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        if self._interval and (runner.iter + 1) % self._interval == 0 and is_main_process():
            rate = runner.optim_wrapper.optimizer.param_groups[0]['lr']
            self._append('step', runner.epoch + 1, runner.iter + 1, dict(lr=rate, **self._losses_since()))

    def after_train_epoch(self, runner: PhaseRunner) -> None:
        if runner.val_loop is None:
            self._end_epoch(runner)

    def after_val_epoch(self, runner: PhaseRunner, metrics: dict[str, float] | None = None) -> None:
        self._end_epoch(runner)

    def _end_epoch(self, runner: PhaseRunner) -> None:
        if is_main_process():
            entry = self.phase.history[-1]
            self._append('epoch', entry['epoch'], _steps(runner, entry['epoch']), entry)
        self._ended = time.monotonic()

    def _losses_since(self) -> dict[str, float]:
        """Return the mean of each part of the loss since the last step line."""
        totals = dict(self.phase.losses)
        news = {}
        for name, (total, steps) in totals.items():
            before, then = self._told.get(name, (0.0, 0))
            if steps > then:  # Some parts occur only in novel batches.
                news[name] = (total - before) / (steps - then)
        self._told = totals
        return dict(zip(news, torch.stack(list(news.values())).tolist(), strict=True)) if news else {}

    def _append(self, kind: str, epoch: int, step: int, values: Mapping[str, Any]) -> None:
        line = self._line(kind, epoch, step, values)
        line.update(seconds=round(time.monotonic() - self._ended, 3), memory_mb=_peak_megabytes())
        if not self._broken:
            self._try(self._write, _text(line))

    def _line(self, kind: str, epoch: int, step: int, values: Mapping[str, Any]) -> dict[str, Any]:
        return dict(kind=kind, phase=self.phase.meta['phase'], epoch=epoch, step=step) | dict(values)

    def _write(self, text: str) -> None:
        with self._path.open('a', encoding='utf-8') as file:
            file.write(text)

    def _repair(self, runner: PhaseRunner) -> None:
        """Keep only the lines of the epochs that the phase resumes from."""
        if not self._path.exists() and not runner.epoch:
            return
        kept = [line for line in read_history(self._path, self.phase.meta['phase']) if line['epoch'] <= runner.epoch]
        there = {line['epoch'] for line in kept if line['kind'] == 'epoch'}
        lost = [entry for entry in self.phase.history if entry['epoch'] not in there]
        kept += [self._line('epoch', entry['epoch'], _steps(runner, entry['epoch']), entry) for entry in lost]
        kept.sort(key=lambda line: (line['epoch'], line['kind'] == 'epoch', line['step']))
        atomic_write_text(self._path, ''.join(map(_text, kept)))

    def _try(self, work: Any, *arguments: Any) -> None:
        """Change the file; if that fails, log it and leave the file alone."""
        try:
            work(*arguments)
        except (OSError, AvzooError) as error:
            self._broken = True
            log_line(f'WARNING: {self._path} is not complete ({error}); the run continues without it.')


def read_history(path: Path, phase: str | None = None) -> list[dict[str, Any]]:
    """Return the lines of a ``history.jsonl``; incomplete, damaged or foreign ones are left out.

    Args:
        path: The file; if it cannot be read, there are no lines.
        phase: Return only the lines of this phase.
    """
    found = []
    try:
        for text in lines_of(path):
            line = _parsed(text)
            if line and phase in (None, line['phase']):
                found.append(line)
    except (OSError, ValueError, AvzooError):
        return found
    return found


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    kinds = dict(kind=str, phase=str, epoch=int, step=int)
    known = isinstance(line, dict) and all(type(line.get(key)) is kind for key, kind in kinds.items())
    return line if known and line['kind'] in ('epoch', 'step') else None


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(plain(line), ensure_ascii=False, allow_nan=False) + '\n'


def _steps(runner: PhaseRunner, epoch: int) -> int:
    """Return the number of steps of the phase up to the end of an epoch; a phase that only fits has none."""
    return epoch * len(runner.train_dataloader) if runner.iter else 0


def _peak_megabytes() -> float | None:
    """Return the peak memory usage so far; ``None`` if the system does not report it."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 1e6, 1)
    if sys.platform == 'win32':
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Bytes on macOS, elsewhere kilobytes.
    return round(peak / 1e6 if sys.platform == 'darwin' else peak * 1024 / 1e6, 1)
