"""The hook that trains and validates with CUDA graphs."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import nn

from avzoo.engine.graphs import GraphedPrediction, GraphedStep
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.models.contracts import SelfTrainedGenerator
from avzoo.registry import HOOKS


@HOOKS.register_module()
class GraphHook(Hook):
    """Replay training steps and predictions on a GPU as CUDA graphs, one per batch shape, with the same numbers.

    A step of a small model waits for hundreds of kernel launches. Here preprocessing, losses and gradients take one
    launch, followed by the optimizer as before; validation and test predict a batch in one launch. On a CPU, in
    distributed training, in mixed precision, with accumulated gradients, with a generator that trains itself, and if
    the model has to wait for the device, steps run as they do without this hook; the log says so.

    Args:
        enabled: Whether to use graphs.
    """

    def __init__(self, enabled: bool = False) -> None:
        self.enabled = enabled

    def before_train(self, runner: PhaseRunner) -> None:
        if not self.enabled:
            return
        reason = why_not(runner.model, runner.optim_wrapper)
        if reason is not None:
            runner.logger.info(f'No CUDA graphs: {reason}')
            return
        runner.model.train_step = GraphedStep(runner.model)

    def after_train(self, runner: PhaseRunner) -> None:
        if isinstance(getattr(runner.model, 'train_step', None), GraphedStep):
            del runner.model.train_step  # Its graphs hold memory.

    def before_val(self, runner: PhaseRunner) -> None:
        self._predict_by_graphs(runner, 'val_step')

    def before_test(self, runner: PhaseRunner) -> None:
        self._predict_by_graphs(runner, 'test_step')

    def after_run(self, runner: PhaseRunner) -> None:
        for name in ('val_step', 'test_step'):
            if isinstance(getattr(runner.model, name, None), GraphedPrediction):
                delattr(runner.model, name)

    def _predict_by_graphs(self, runner: PhaseRunner, name: str) -> None:
        model = runner.model
        # Graphs of an earlier validation of the phase are still valid: they read the weights in place.
        if self.enabled and why_not(model) is None and not isinstance(getattr(model, name), GraphedPrediction):
            setattr(model, name, GraphedPrediction(model))


def why_not(model: nn.Module, optim_wrapper: OptimWrapper | None = None) -> str | None:
    """Return why a model's steps (or its predictions if there is no optimizer) cannot be graphs, or ``None``."""
    if is_model_wrapper(model):
        return 'the model is distributed.'
    if next(model.parameters()).device.type != 'cuda':
        return 'the model is not on a GPU.'
    if optim_wrapper is None:
        return None
    if type(optim_wrapper) is not OptimWrapper or optim_wrapper._accumulative_counts != 1:
        return 'mixed precision or accumulated gradients are used.'
    if isinstance(model.generator, SelfTrainedGenerator):
        return 'the generator trains itself.'
    return None
