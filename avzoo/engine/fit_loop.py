"""A phase without training steps."""

from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

from avzoo.engine.phase_runner import PhaseRunner
from avzoo.registry import LOOPS


@LOOPS.register_module()
class FitLoop(EpochBasedTrainLoop):
    """Validate and save what hooks fitted before training, once, as after an epoch, without a training step.

    Args:
        runner: The runner of the phase.
        dataloader: Its training data.
    """

    def __init__(self, runner: PhaseRunner, dataloader: DataLoader | dict) -> None:
        super().__init__(runner, dataloader, max_epochs=1)

    def run_epoch(self) -> None:
        """Call the hooks of an epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
