"""How fast a method trains, samples, evaluates and predicts here, beside a plain path and the limit of the machine."""

import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from avzoo.apis.plain_path import collate_one_by_one, plain_path
from avzoo.datasets.collate import collate
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.window import Window
from avzoo.engine.graphs import GraphedStep, why_not
from avzoo.models.layers.cpu_kernels import choose_cpu_kernels
from avzoo.zoo.build import build_model, move_to

Run = Callable[[], object]
_VIDEOS = 256


def measure(
    cfg: Config, info: Mapping[str, Any], *, device: str, seconds: float, clip: tuple[float, float]
) -> list[dict[str, Any]]:
    """Measure a method on synthetic features of its widths.

    Args:
        cfg: Config of the method.
        info: Facts of its data, see :class:`AVClassifier`.
        device: Where to compute.
        seconds: How long to repeat each measurement.
        clip: Shortest and longest clip in seconds.

    Returns:
        For each case its ``name``, seconds of the ``plain`` path and ``now``, their ``ratio``, and the ``floor``:
        unavoidable products at the rate of this machine, or for data bytes at its copy rate. On a GPU also seconds as
        ``graphs``, number of ``kernels`` and of ``waits`` for it, and the share of time that it is ``busy``.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = _Work(cfg, info, Path(folder), clip, device)
        counted = work if device == 'cpu' else _Work(cfg, info, Path(folder), clip, 'cpu')
        clock = time.process_time if device == 'cpu' else time.perf_counter
        rate = _product_rate(device, clock)
        floors = {name: _flops(run) / rate for name, run in counted.cases().items()}
        floors['data'] = work.batch_bytes() / _copy_rate(device, clock)
        rows = []
        for name, run in work.cases().items():
            plain = work.plain_data if name == 'data' else _plainly(run)
            row: dict[str, Any] = dict(name=name, **_paired(plain, run, seconds, clock, device), floor=floors[name])
            if device != 'cpu':
                row.update(_on_gpu(run, work.as_graph(name), seconds))
            if name.startswith('evaluation'):
                row.update({key: row[key] * 1000 / work.batch_size for key in _TIMES if key in row})
            rows.append(row)
        return rows


_TIMES = ('plain', 'now', 'floor', 'graphs')


class _Work:
    """A model with its data: what is measured."""

    def __init__(
        self, cfg: Config, info: Mapping[str, Any], folder: Path, clip: tuple[float, float], device: str
    ) -> None:
        self.cfg, self.info, self.device = cfg, info, device
        self.seconds = {m: info['seconds_per_step'][m] for m in cfg.model.encoders}
        self.batch_size = min(cfg.train_dataloader.batch_size, _VIDEOS // 2)
        window = cfg.train_dataloader.dataset.get('window')
        self.window = Window(**window) if window else None
        self.store = FeatureStore(_write_store(folder / 'store', info, clip))
        if device != 'cpu':
            self.store.load(device)
        self.model, self.wrapper = self._trainable()
        full = cfg.curriculum.full
        self.full, self.full_wrapper = self._trainable(full.get('freeze', ()), full.get('frozen_mode', 'train'))
        self.generator: Any = self.model.generator
        self.labels = torch.arange(self.batch_size) % info['num_classes']
        if self.generator is not None:  # Made once: a graph cannot copy labels.
            self.condition = self.model.conditioner(self.labels.to(device))

    def _trainable(self, frozen: tuple[str, ...] = (), mode: str = 'train') -> tuple[Any, Any]:
        torch.manual_seed(0)
        model = build_model(Config(dict(model=self.cfg.model, data_preprocessor=self.cfg.data_preprocessor)), self.info)
        model._freeze(frozen, mode)
        move_to(self.device, model).train()
        return model, build_optim_wrapper(model, self.cfg.optim_wrapper)

    def batch(self, novel: bool = False, size: int | None = None) -> dict:
        """Return a batch as the data set gives it, always the same."""
        size = size or self.batch_size
        videos = np.arange(size) + (self.batch_size if novel else 0)
        features = collate(self.store, videos, self.seconds, window=self.window, seed=0)
        return dict(features=features, label=self.labels[:size], index=torch.arange(size), novel=novel)

    def batch_bytes(self) -> int:
        """Return the size of a batch's features."""
        return sum(part['x'].nbytes for part in self.batch()['features'].values())

    def plain_data(self) -> object:
        return collate_one_by_one(self.store, np.arange(self.batch_size), tuple(self.seconds))

    def cases(self) -> dict[str, Run]:
        """Return what is measured, by name."""
        cases: dict[str, Run] = dict(data=self.batch)
        if self.cfg.curriculum.base.max_epochs:
            cases['base step'] = lambda: self.model.train_step(self.batch(), self.wrapper)
        if self.cfg.curriculum.full.max_epochs:
            cases['full iteration'] = lambda: self._iteration(self.full.train_step)
        if self.generator is not None:
            cases['chain'] = self._chain
            if self.generator.sample(self.condition).requires_grad:
                cases['chain with backward'] = self._chain_with_backward
        cases['evaluation, 1,000 videos'] = lambda: self._predict(self.batch_size)
        cases['prediction, one clip'] = lambda: self._predict(1)
        return cases

    def as_graph(self, name: str) -> Run | None:
        """Return a case as a CUDA graph, or ``None``."""
        if name in ('chain', 'chain with backward'):
            return _captured(self.cases()[name])
        model, wrapper = (self.full, self.full_wrapper) if name == 'full iteration' else (self.model, self.wrapper)
        if name not in ('base step', 'full iteration') or why_not(model, wrapper) is not None:
            return None
        step = GraphedStep(model)
        run = (lambda: step(self.batch(), wrapper)) if name == 'base step' else lambda: self._iteration(step)
        run(), run()  # The second time it is captured.
        return None if step.failed else run

    def _iteration(self, step: Callable[[dict, Any], object]) -> object:
        step(self.batch(), self.full_wrapper)
        return step(self.batch(novel=True), self.full_wrapper)

    @torch.no_grad()
    def _chain(self) -> object:
        return self.generator.sample(self.condition)

    def _chain_with_backward(self) -> object:
        total = self.generator.sample(self.condition).square().mean()
        return torch.autograd.grad(total, list(self.generator.parameters()))

    @torch.no_grad()
    def _predict(self, size: int) -> object:
        self.model.eval()
        try:
            return self.model.test_step(self.batch(size=size))
        finally:
            self.model.train()


def _write_store(out: Path, info: Mapping[str, Any], clip: tuple[float, float]) -> Path:
    """Write random features of clips between two lengths."""
    rng = np.random.default_rng(0)
    modalities = {
        m: dict(dim=dim, seconds_per_step=info['seconds_per_step'][m]) for m, dim in info['feature_dims'].items()
    }
    if not out.exists():
        with FeatureStoreWriter(out, name='random', modalities=modalities, classes=['any']) as writer:
            for video in range(_VIDEOS):
                length = rng.uniform(*clip)
                steps = {m: max(1, round(length / entry['seconds_per_step'])) for m, entry in modalities.items()}
                x = {m: rng.random((steps[m], entry['dim']), np.float32) for m, entry in modalities.items()}
                writer.add(f'video{video}', 'any', x)
            writer.finish()
    return out


def _plainly(run: Run) -> Run:
    def plain() -> object:
        with plain_path():
            return run()

    return plain


def _paired(plain: Run, now: Run, seconds: float, clock: Callable[[], float], device: str) -> dict[str, float]:
    """Run two ways in turn and return the shortest time of each, and their ratio."""
    times: dict[str, list[float]] = dict(plain=[], now=[])
    begin = time.monotonic()
    while len(times['now']) < 3 or time.monotonic() - begin < seconds:
        for name, run in (('plain', plain), ('now', now)):
            times[name].append(_time(run, clock, device))
    shortest = {name: min(found) for name, found in times.items()}
    return dict(shortest, ratio=shortest['plain'] / shortest['now'])


def _time(run: Run, clock: Callable[[], float], device: str) -> float:
    begin = clock()
    run()
    if device != 'cpu':
        torch.cuda.synchronize()
    return clock() - begin


def _flops(run: Run) -> float:
    before = choose_cpu_kernels('torch')  # The counter knows PyTorch's operators only.
    try:
        with FlopCounterMode(display=False) as counter:
            run()
    finally:
        choose_cpu_kernels(before)
    return counter.get_total_flops()


def _product_rate(device: str, clock: Callable[[], float]) -> float:
    """Return the multiply-adds a second, each counted twice, of products of the sizes that models have."""
    found = 0.0
    for rows, width, out in ((2048, 512, 512), (1024, 4096, 512)):
        x, weight = torch.randn(rows, width, device=device), torch.randn(out, width, device=device)
        least = min(_time(partial(F.linear, x, weight), clock, device) for _ in range(9))
        found = max(found, 2 * rows * width * out / least)
    return found


def _copy_rate(device: str, clock: Callable[[], float]) -> float:
    x = torch.ones(16 << 20, device=device)
    y = torch.empty_like(x)
    return x.nbytes / min(_time(lambda: y.copy_(x), clock, device) for _ in range(5))


def _captured(run: Run) -> Run | None:
    """Return a computation without inputs as a CUDA graph, or ``None`` if it has to wait for the device."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            kept = run()
    except RuntimeError as error:
        warnings.warn(f'no graph: {str(error).splitlines()[0]}', stacklevel=2)
        return None

    def replay() -> object:
        graph.replay()
        return kept

    return replay


def _on_gpu(run: Run, graph: Run | None, seconds: float) -> dict[str, float]:
    """Return the time as a graph, and what the GPU does without."""
    found: dict[str, float] = {}
    if graph is not None:
        found['graphs'] = _paired(graph, graph, seconds / 2, time.perf_counter, 'cuda')['now']
    took = _time(run, time.perf_counter, 'cuda')
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        run()
        torch.cuda.synchronize()
    events = profiled.events()
    work = [e for e in events if e.device_type.name == 'CUDA' and not getattr(e, 'is_user_annotation', False)]
    kernels = [event.time_range.elapsed_us() for event in work]
    waits = sum(event.name in ('cudaStreamSynchronize', 'cudaEventSynchronize') for event in events)
    return dict(found, kernels=len(kernels), waits=waits, busy=sum(kernels) / 1e6 / took)
