"""Training steps as CUDA graphs: the forward and the backward pass are launched as one, with the same numbers."""

import contextlib
import logging
from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import Tensor
from torch.func import functional_call

from avzoo.engine.phase_runner import PhaseRunner
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.models.contracts import SelfTrainedGenerator
from avzoo.registry import HOOKS

_MOST_GRAPHS = 48  # Batches padded to their longest video have a few tens of shapes; each keeps its gradients.


@HOOKS.register_module()
class GraphHook(Hook):
    """Replay training steps on a GPU as CUDA graphs, one for each shape of a batch; the numbers stay the same.

    A step of a small model waits for hundreds of kernel launches. Here the optimizer is launched as before, after
    preprocessing, losses and gradients in one launch. On a CPU, in distributed training, in mixed precision, with
    accumulated gradients and with a generator that trains itself, steps run as they do without this hook, and so do
    those of a model that has to wait for the device; the log says so.

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


def why_not(model: torch.nn.Module, optim_wrapper: OptimWrapper) -> str | None:
    """Return why the steps of a model cannot be graphs, or ``None``."""
    if is_model_wrapper(model):
        return 'training is distributed.'
    if next(model.parameters()).device.type != 'cuda':
        return 'the model is not on a GPU.'
    if type(optim_wrapper) is not OptimWrapper or optim_wrapper._accumulative_counts != 1:
        return 'mixed precision, or accumulated gradients.'
    if isinstance(model.generator, SelfTrainedGenerator):
        return 'the generator trains itself.'
    return None


class GraphedStep:
    """Stands for a model's ``train_step``: a shape of batch that comes again is captured, and replayed from then on.

    Args:
        model: On a GPU.

    Attributes:
        failed (bool): Whether the model had to wait for the device, so that all steps are plain.
    """

    def __init__(self, model: AVClassifier) -> None:
        self.model, self._plain = model, model.train_step
        self._seen: Counter[Hashable] = Counter()
        self._graphs: dict[Hashable, _Graph] = {}
        self._pool: Any = torch.cuda.graph_pool_handle()
        self.failed = False

    def __call__(self, data: dict, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Take one training step, and return the losses for the log."""
        graph = self._graph_of(data)
        if graph is None:
            return self._plain(data, optim_wrapper)
        losses = graph.replay(data)
        optim_wrapper.step()
        optim_wrapper.zero_grad()
        return losses

    def _graph_of(self, data: dict) -> '_Graph | None':
        # Loading weights keeps the place of parameters, moving them does not.
        key = (_shape(data), self.model.training, *(p.data_ptr() for p in self.model.parameters() if p.requires_grad))
        self._seen[key] += 1
        if key in self._graphs or self.failed or self._seen[key] < 2 or len(self._graphs) >= _MOST_GRAPHS:
            return self._graphs.get(key)
        try:
            self._graphs[key] = _Graph(self.model, data, self._pool)
        except RuntimeError as error:
            self.failed = True
            _release_random_numbers()
            message = f'No CUDA graphs: the model has to wait for the device. {str(error).splitlines()[0]}'
            print_log(message, 'current', logging.WARNING)
        return self._graphs.get(key)


class _Graph:
    """One captured step: preprocessing, losses and gradients for batches of one shape."""

    def __init__(self, model: AVClassifier, data: dict, pool: Any) -> None:
        self.model = model
        self.batch = _copied(data, next(model.parameters()).device)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.trained = [name for name, p in model.named_parameters() if p.requires_grad]
        with _without_traces(model):
            self._warm_up()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, pool=pool):
            self.names, self.values, self.gradients = self._compute()

    def replay(self, data: dict) -> dict[str, Tensor]:
        """Compute the gradients of a batch, and return its losses."""
        _copy(self.batch, data)
        self.graph.replay()
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return dict(zip(self.names, self.values.clone().unbind(), strict=True))

    def _compute(self) -> tuple[list[str], Tensor, tuple[Tensor | None, ...]]:
        # Leaves of this computation alone, with the memory of the parameters: those of an earlier step that is still
        # referred to, such as by its losses, belong to the stream of that step, and a capture must not touch another.
        leaves = {name: p.detach().requires_grad_() for name, p in zip(self.trained, self.parameters, strict=True)}
        inputs = self.model.data_preprocessor(self.batch, True)
        found = functional_call(self.model, leaves, kwargs=dict(inputs, mode='loss'))
        total, losses = self.model.parse_losses(found)
        gradients = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
        dense = tuple(gradient if gradient is None else gradient.contiguous() for gradient in gradients)
        return list(losses), torch.stack([value.detach() for value in losses.values()]), dense

    def _warm_up(self) -> None:
        """Let libraries allocate what they need, and fail where the model waits for the device."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        before = torch.cuda.get_sync_debug_mode()
        with torch.cuda.stream(side):
            try:
                self._compute()
                torch.cuda.set_sync_debug_mode('error')
                self._compute()
            finally:
                torch.cuda.set_sync_debug_mode(before)
        torch.cuda.current_stream().wait_stream(side)


def _release_random_numbers() -> None:
    """Let the random numbers go on where a capture failed: the generator would take itself to be captured for ever."""
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    generator.graphsafe_set_state(generator.clone_state())


@contextlib.contextmanager
def _without_traces(model: torch.nn.Module) -> Iterator[None]:
    """Undo at the end what computing changes: buffers (statistics of BatchNorm) and the state of the random numbers."""
    kept, state = [buffer.clone() for buffer in model.buffers()], torch.cuda.get_rng_state()
    try:
        yield
    finally:
        for buffer, value in zip(model.buffers(), kept, strict=True):
            buffer.copy_(value)
        torch.cuda.set_rng_state(state)


def _shape(data: Any) -> Hashable:
    """Return what a graph depends on: the shapes and types of tensors, and all other values."""
    if isinstance(data, dict):
        return tuple((key, _shape(value)) for key, value in data.items())
    return (tuple(data.shape), data.dtype) if isinstance(data, Tensor) else data


def _copied(data: Any, device: torch.device) -> Any:
    """Return a copy of a batch whose tensors are on a device."""
    if isinstance(data, dict):
        return {key: _copied(value, device) for key, value in data.items()}
    return data.to(device, copy=True) if isinstance(data, Tensor) else data


def _copy(target: dict, data: dict) -> None:
    """Copy the tensors of a batch into another of the same shape."""
    for key, value in data.items():
        if isinstance(value, dict):
            _copy(target[key], value)
        elif isinstance(value, Tensor):
            target[key].copy_(value, non_blocking=True)
