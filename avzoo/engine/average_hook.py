"""Averages of the weights over recent training steps."""

import torch
from mmengine.hooks import EMAHook

from avzoo.engine.phase_runner import PhaseRunner
from avzoo.registry import HOOKS


@HOOKS.register_module()
class AverageHook(EMAHook):
    """Average the weights exponentially; validation and checkpoints use the average.

    The first steps of a phase are averaged evenly. The checkpoint also holds the weights that are being trained, so
    that a resumed run continues with both.

    BatchNorm statistics are those of the weights being trained. Averages would carry the initial variance of 1 for
    hundreds of steps, while features of unit length have variances of a thousandth. The state of a generator's own
    optimizers is not averaged either.

    Args:
        epochs: Number of epochs over whose steps to average.
    """

    def __init__(self, epochs: float = 1.0) -> None:
        super().__init__(ema_type='MomentumAnnealingEMA', gamma=1)
        self.epochs = epochs

    def before_run(self, runner: PhaseRunner) -> None:
        self.ema_cfg['momentum'] = 1 / (1 + self.epochs * len(runner.train_dataloader))
        super().before_run(runner)

    def after_train_epoch(self, runner: PhaseRunner) -> None:
        # SyncBuffersHook, which comes before, may have changed them after the last step.
        for kept, current in zip(self.ema_model.module.buffers(), self.src_model.buffers(), strict=True):
            kept.copy_(current)

    def before_save_checkpoint(self, runner: PhaseRunner, checkpoint: dict) -> None:
        kept = _not_averaged(checkpoint)
        super().before_save_checkpoint(runner, checkpoint)
        checkpoint['state_dict'].update(kept)

    def after_load_checkpoint(self, runner: PhaseRunner, checkpoint: dict) -> None:
        kept = _not_averaged(checkpoint)
        super().after_load_checkpoint(runner, checkpoint)
        checkpoint['state_dict'].update(kept)


def _not_averaged(checkpoint: dict) -> dict:
    return {k: v for k, v in checkpoint['state_dict'].items() if not isinstance(v, torch.Tensor)}
