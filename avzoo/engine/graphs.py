"""Training steps and predictions as CUDA graphs: each takes one launch, with the same numbers."""

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.func import functional_call

from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.utils.errors import first_line

_Found = TypeVar('_Found')
_MOST_GRAPHS = 48  # Batches padded to their longest video have a few dozen shapes; each keeps its gradients.


class _Graphs:
    """Graphs of a model by what they depend on. A batch shape is captured when it recurs, and replayed from then on."""

    def __init__(self, model: AVClassifier) -> None:
        self.model = model
        self.failed = False  # Whether the model had to wait for the device, so that no graphs are used.
        self._seen: Counter[Hashable] = Counter()
        self._graphs: dict[Hashable, Any] = {}
        self._pool: Any = torch.cuda.graph_pool_handle()

    def _find(self, key: Hashable, capture: Callable[[], Any]) -> Any:
        """Return the graph of a key, or ``None`` where there is none (yet)."""
        self._seen[key] += 1
        if key in self._graphs or self.failed or self._seen[key] < 2 or len(self._graphs) >= _MOST_GRAPHS:
            return self._graphs.get(key)
        try:
            self._graphs[key] = capture()
        except RuntimeError as error:
            self.failed = True
            _release_random_numbers()
            message = f'No CUDA graphs: the model has to wait for the device. {first_line(error)}'
            print_log(message, 'current', logging.WARNING)
        return self._graphs.get(key)


class GraphedStep(_Graphs):
    """Replaces a model's ``train_step``.

    Args:
        model: On a GPU.
    """

    def __init__(self, model: AVClassifier) -> None:
        super().__init__(model)
        self._plain = model.train_step
        self._parameters = list(model.parameters())  # Once: walking through the modules takes longer than a launch.

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
        # Loading weights keeps the addresses of parameters; moving them does not.
        key = (_shape(data), self.model.training, *(p.data_ptr() for p in self._parameters if p.requires_grad))
        return self._find(key, lambda: _Graph(self.model, data, self._pool))


class GraphedPrediction(_Graphs):
    """Replaces a model's ``val_step`` or ``test_step``, which compute the same.

    Batches are padded a little further to get fewer shapes; padding does not change predictions.

    Args:
        model: On a GPU, in evaluation mode.
    """

    def __init__(self, model: AVClassifier) -> None:
        super().__init__(model)
        self._plain = model.test_step

    def __call__(self, data: dict) -> list[dict]:
        """Return what the model predicts for a batch."""
        features = {name: _padded(f) if isinstance(f, dict) else f for name, f in data['features'].items()}
        data = dict(data, features=features)  # Cached features of the fusion are not sequences.
        graph = self._graph_of(data)
        return self._plain(data) if graph is None else graph.replay(data)

    def _graph_of(self, data: dict) -> '_PredictionGraph | None':
        if torch.is_autocast_enabled('cuda'):  # It caches copies of the weights, which a graph would keep reading.
            return None
        places = (t.data_ptr() for t in (*self.model.parameters(), *self.model.buffers()))
        key = (_shape(data), self.model.training, *places)
        return self._find(key, lambda: _PredictionGraph(self.model, self._plain, data, self._pool))


class GraphedRun(_Graphs):
    """Replaces a computation without inputs.

    Args:
        model: On a GPU.
        run: The computation.
    """

    def __init__(self, model: AVClassifier, run: Callable[[], object]) -> None:
        super().__init__(model)
        self._plain = run

    def __call__(self) -> object:
        """Run the computation and return its result."""
        found = self._find((), lambda: _captured(self.model, self._plain, self._pool))
        if found is None:
            return self._plain()
        graph, filled = found
        graph.replay()
        return filled


class _Graph:
    """One captured step: preprocessing, losses and gradients for batches of one shape."""

    def __init__(self, model: AVClassifier, data: dict, pool: Any) -> None:
        self.model = model
        self.batch = _copied(data, next(model.parameters()).device)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.trained = [name for name, p in model.named_parameters() if p.requires_grad]
        self.graph, (self.names, self.values, self.gradients) = _captured(model, self._compute, pool)

    def replay(self, data: dict) -> dict[str, Tensor]:
        """Compute the gradients of a batch, and return its losses."""
        _copy(self.batch, data)
        self.graph.replay()
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return dict(zip(self.names, self.values.clone().unbind(), strict=True))

    def _compute(self) -> tuple[list[str], Tensor, tuple[Tensor | None, ...]]:
        # Leaves of this computation only, with the memory of the parameters: those of an earlier step that is still
        # referenced, e.g. by its losses, belong to the stream of that step, and a capture must not touch another.
        leaves = {name: p.detach().requires_grad_() for name, p in zip(self.trained, self.parameters, strict=True)}
        inputs = self.model.data_preprocessor(self.batch, True)
        found = functional_call(self.model, leaves, kwargs=dict(inputs, mode='loss'))
        total, losses = self.model.parse_losses(found)
        gradients = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
        dense = tuple(gradient if gradient is None else gradient.contiguous() for gradient in gradients)
        return list(losses), torch.stack([value.detach() for value in losses.values()]), dense


class _PredictionGraph:
    """The captured predictions for batches of one shape."""

    def __init__(self, model: nn.Module, predict: Callable[[dict], list[dict]], data: dict, pool: Any) -> None:
        self.batch = _copied(data, next(model.parameters()).device)
        with torch.no_grad():
            self.graph, self.predictions = _captured(model, lambda: predict(self.batch), pool)

    def replay(self, data: dict) -> list[dict]:
        """Return the predictions for a batch."""
        _copy(self.batch, data)
        self.graph.replay()
        return [_copied(one) for one in self.predictions]


def _padded(sequences: dict[str, Tensor]) -> dict[str, Tensor]:
    """Pad sequences x (B, T, D) with zeros to the next of about eight lengths per doubling."""
    steps = sequences['x'].shape[1]
    unit = 1 << max(0, steps.bit_length() - 4)
    return dict(sequences, x=F.pad(sequences['x'], (0, 0, 0, -steps % unit)))


def _captured(model: nn.Module, compute: Callable[[], _Found], pool: Any) -> tuple[torch.cuda.CUDAGraph, _Found]:
    """Capture what a model computes; return the graph, and the tensors that a replay fills.

    Threads of a :class:`StreamingLoader` may run meanwhile. By default a capture fails as soon as any thread allocates
    CUDA memory or queries an event. Those threads launch nothing on the captured stream and share no memory with it, so
    only the calls of this thread are checked. What backward passes launch from their own thread is captured through its
    stream.
    """
    with _without_traces(model):
        _warm_up(compute)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool, capture_error_mode='thread_local'):
        found = compute()
    return graph, found


def _warm_up(compute: Callable[[], object]) -> None:
    """Let libraries allocate what they need, and fail if the model waits for the device."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    before = torch.cuda.get_sync_debug_mode()
    with torch.cuda.stream(side):
        try:
            compute()
            torch.cuda.set_sync_debug_mode('error')
            compute()
        finally:
            torch.cuda.set_sync_debug_mode(before)
    torch.cuda.current_stream().wait_stream(side)


def _release_random_numbers() -> None:
    """Restore the random generator after a failed capture: it would otherwise stay in capture mode forever."""
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    generator.graphsafe_set_state(generator.clone_state())


@contextlib.contextmanager
def _without_traces(model: nn.Module) -> Iterator[None]:
    """Undo on exit what the computation changed: buffers (BatchNorm statistics) and the random state."""
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


def _copied(data: Any, device: torch.device | None = None) -> Any:
    """Return a copy of a batch, whose tensors are on a device."""
    if isinstance(data, dict):
        return {key: _copied(value, device) for key, value in data.items()}
    return data.to(device or data.device, copy=True) if isinstance(data, Tensor) else data


def _copy(target: dict, data: dict) -> None:
    """Copy the tensors of a batch into another of the same shape."""
    for key, value in data.items():
        if isinstance(value, dict):
            _copy(target[key], value)
        elif isinstance(value, Tensor):
            target[key].copy_(value, non_blocking=True)
