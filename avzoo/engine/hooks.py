"""Hooks that every phase of the curriculum runs with."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce, barrier, get_rank, is_main_process
from mmengine.hooks import Hook, RuntimeInfoHook

from avzoo.engine.phase_runner import PhaseRunner
from avzoo.registry import HOOKS
from avzoo.utils.errors import AvzooError
from avzoo.utils.files import atomic_path, move


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Reseed everything at each epoch, so that a resumed run repeats an uninterrupted one bit for bit.

    mmengine does not save the state of the random generators. The seed of an epoch depends on the run's seed, the epoch
    and the rank, so ranks draw different dropout and noise.
    """

    def before_train_epoch(self, runner: PhaseRunner) -> None:
        batch_sampler = runner.train_dataloader.batch_sampler
        if hasattr(batch_sampler, 'set_epoch'):
            batch_sampler.set_epoch(runner.epoch)
        self._seed(runner)

    def before_train_iter(self, runner: PhaseRunner, batch_idx: int, data_batch: dict | None = None) -> None:
        if batch_idx == 0:  # Creating the loader's iterator draws a random number.
            self._seed(runner)

    @staticmethod
    def _seed(runner: PhaseRunner) -> None:
        sequence = np.random.SeedSequence([runner.seed or 0, runner.epoch, get_rank()])
        seeds = [int(s) for s in sequence.generate_state(3)]
        random.seed(seeds[0])
        np.random.seed(seeds[1])
        torch.manual_seed(seeds[2])


@HOOKS.register_module()
class FitHook(Hook):
    """Let the model read class vectors or prototypes from the training set before training."""

    def before_train(self, runner: PhaseRunner) -> None:
        runner.plain_model.read_constants(runner.train_dataloader.dataset)


@HOOKS.register_module()
class FitPartsHook(Hook):
    """Fit parts to the training set before training; a resumed run finds them in its checkpoint.

    Args:
        parts: Names of the parts, see :meth:`AVClassifier.fit`.
    """

    def __init__(self, parts: tuple[str, ...]) -> None:
        self.parts = tuple(parts)

    def before_train(self, runner: PhaseRunner) -> None:
        if runner.epoch:
            return
        log = runner.plain_model.fit(runner.train_dataloader.dataset, self.parts, seed=runner.seed or 0)
        runner.logger.info('Fitted: ' + ', '.join(f'{key} {value:.4g}' for key, value in log.items()))


class CarryOptimizerHook(Hook):
    """Start a phase with the optimizer's moments from the previous phase.

    Args:
        source: The last checkpoint of that phase.
    """

    def __init__(self, source: Path) -> None:
        self.source = source

    def before_train(self, runner: PhaseRunner) -> None:
        runner.load_optimizer(self.source)


@HOOKS.register_module()
class ExtraForwardHook(Hook):
    """Repeat the forward passes of each turn of batches after its last step, as the released code does for its log.

    A turn is one batch of each subset: a base batch and, in the full sub-stage, a novel one. The BatchNorm statistics
    see each batch twice, and dropout draws twice as many random numbers. Only for comparison with the released numbers.
    """

    def __init__(self) -> None:
        self._turn: list[dict[str, Any]] = []

    def before_train_epoch(self, runner: PhaseRunner) -> None:
        self._turn.clear()

    def after_train_iter(
        self, runner: PhaseRunner, batch_idx: int, data_batch: dict[str, Any], outputs: dict | None = None
    ) -> None:
        self._turn.append(data_batch)
        if len(self._turn) < len(runner.train_dataloader.batch_sampler.subsets):
            return
        model = runner.plain_model
        with torch.no_grad():
            for batch in self._turn:
                model.extract_feat(model.data_preprocessor(batch, training=True)['inputs'])
        self._turn.clear()


@HOOKS.register_module()
class IntervalRuntimeInfoHook(RuntimeInfoHook):
    """Pass losses to the log only occasionally, since each transfer waits for the device.

    Args:
        interval: Number of training steps between transfers.
    """

    def __init__(self, interval: int = 50) -> None:
        super().__init__()
        self.interval = interval

    def after_train_iter(
        self, runner: PhaseRunner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        if (runner.iter + 1) % self.interval == 0:
            super().after_train_iter(runner, batch_idx, data_batch, outputs)


class PhaseHook(Hook):
    """Keep the history of a phase, its checkpoints ``last.pth`` and ``best.pth``, and report each epoch.

    The history is stored in ``last.pth``, so both are always from the same epoch.

    Args:
        meta: Plain values stored in every checkpoint of this phase.
        monitor: Metric that chooses the best epoch.
        keep_gamma: Store the calibration that validation chose in the model (full sub-stage).
        begin: Called when training starts, with the number of steps already done.
        report: Called with the runner and the history after each epoch, and with a partial epoch now and then.
    """

    priority = 'VERY_LOW'  # After the parameter schedulers, whose state enters the checkpoint.

    def __init__(
        self,
        *,
        meta: dict,
        monitor: str,
        keep_gamma: bool,
        begin: Callable[[int], None],
        report: Callable[[PhaseRunner, list[dict], dict | None], None],
    ) -> None:
        self.meta, self.monitor, self.keep_gamma = meta, monitor, keep_gamma
        self.begin, self.report = begin, report
        self.history: list[dict] = []
        self.losses: dict[str, tuple[torch.Tensor, int]] = {}
        self._reported = time.monotonic()

    def after_load_checkpoint(self, runner: PhaseRunner, checkpoint: dict) -> None:
        if checkpoint['meta'].get('phase') == self.meta['phase']:
            self.history = list(checkpoint['meta']['history'])

    def before_train(self, runner: PhaseRunner) -> None:
        if hasattr(runner.plain_model, 'check_scores'):  # Your own model need not have it.
            with runner.optim_wrapper.optim_context(runner.model):  # Cached features have the precision of the steps.
                runner.plain_model.check_scores(runner.train_dataloader.dataset)
        self.begin(runner.iter)

    def before_train_epoch(self, runner: PhaseRunner) -> None:
        self.losses = {}
        self._rate = runner.optim_wrapper.optimizer.param_groups[0]['lr']

    def after_train_iter(
        self, runner: PhaseRunner, batch_idx: int, data_batch: dict[str, Any], outputs: dict[str, torch.Tensor]
    ) -> None:
        for name in (n for n in outputs if n.startswith('loss')):  # Some occur only in novel batches.
            total, steps = self.losses.get(name, (torch.zeros(()), 0))
            self.losses[name] = total + outputs[name].detach(), steps + 1  # No .item(): it would wait for the device.
        if time.monotonic() - self._reported > 30:
            self._reported = time.monotonic()
            self.report(runner, self.history, dict(step=batch_idx + 1, **self._mean_losses()))

    def after_train_epoch(self, runner: PhaseRunner) -> None:
        self.history.append(dict(epoch=runner.epoch + 1, lr=self._rate, **self._epoch_losses(runner)))
        if runner.val_loop is None:
            self._finish_epoch(runner, runner.epoch + 1)

    def after_val_epoch(self, runner: PhaseRunner, metrics: dict[str, float]) -> None:
        self.history[-1].update(metrics)
        if self.keep_gamma:
            runner.plain_model.gamma.fill_(metrics['gamma'])
            if runner.plain_model.scale is not None:
                runner.plain_model.scale.fill_(metrics['scale'])
        self._finish_epoch(runner, runner.epoch)

    def _finish_epoch(self, runner: PhaseRunner, epoch: int) -> None:
        folder = Path(runner.work_dir)
        if is_main_process() and not folder.is_dir():
            raise AvzooError(
                f'{folder} was removed while the run wrote to it. Repeat the command with --resume to retrain what is '
                'lost.'
            )
        best = runner.val_loop is not None and best_epoch(self.history, self.monitor) == epoch
        runner.write_checkpoint(folder / '.next.pth', epoch=epoch, meta=dict(self.meta, history=self.history))
        if is_main_process():
            if best:  # Before last.pth, so that an interruption in between repeats this epoch and this choice.
                with atomic_path(folder / 'best.pth') as partial:
                    shutil.copyfile(folder / '.next.pth', partial)
            move(folder / '.next.pth', folder / 'last.pth')
        barrier()  # The other processes read these files next.
        self._reported = time.monotonic()
        self.report(runner, self.history, None)

    def _mean_losses(self) -> dict[str, float]:
        return {name: float(total) / steps for name, (total, steps) in self.losses.items()}

    def _epoch_losses(self, runner: PhaseRunner) -> dict[str, float | None]:
        """Return the mean of the loss and of each of its parts, over the steps that had it."""
        if not self.losses:  # Everything was fitted, nothing trained.
            return dict(loss=None)
        means = torch.stack([total / steps for total, steps in self.losses.values()])
        all_reduce(means, op='mean')  # Every rank sees the same numbers, so all stop together if one is not finite.
        losses = dict(zip(self.losses, means.tolist(), strict=True))
        loss = losses['loss']
        if not np.isfinite(loss):
            raise AvzooError(
                f'The training loss of {self.meta["phase"]} became {loss} in epoch {runner.epoch + 1}. '
                'Start a new run in another --work-dir with a lower optim_wrapper.optimizer.lr, or with '
                'optim_wrapper.clip_grad="{\'max_norm\': 1.0}"; if that does not help, look for NaN in '
                'the features.'
            )
        return losses


def best_epoch(history: list[dict], monitor: str) -> int:
    """Return the first epoch (from 1) with the highest metric; the last epoch if none is above 0.

    As in the released code, a score of exactly 0 does not count.
    """
    scores = [entry.get(monitor, 0.0) for entry in history]
    return history[int(np.argmax(scores))]['epoch'] if max(scores) > 0 else history[-1]['epoch']
