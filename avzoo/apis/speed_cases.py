"""The parts of training and evaluation that are timed, on synthetic features of a config's widths."""

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from avzoo.apis.plain_path import collate_one_by_one
from avzoo.apis.random_batches import random_batches
from avzoo.datasets.collate import PaddedSequences, collate
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.window import Window
from avzoo.engine.fusion_cache import Fused, why_not_of
from avzoo.engine.graph_hook import why_not
from avzoo.engine.graphs import GraphedPrediction, GraphedStep
from avzoo.zoo.build import build_model, move_to

Run = Callable[[], object]
VIDEOS = 256
BASE_STEP, STREAMED = 'base step', 'base step, streamed'
EVALUATION = 'evaluation, 1,000 videos'
FULL_ITERATION = 'full iteration'
CACHED = 'full iteration, cached fusion'
ONE_CLIP, THOUSAND_CLIPS = 'prediction, one clip', 'prediction, 1,000 clips'


class SpeedCases:
    """A model with its data: what is measured."""

    def __init__(
        self, cfg: Config, info: Mapping[str, Any], folder: Path, clip: tuple[float, float], device: str
    ) -> None:
        self.cfg, self.info, self.device = cfg, info, device
        self.seconds = {m: info['seconds_per_step'][m] for m in cfg.model.encoders}
        self.steps = 1 if device == 'cpu' else 20  # In a row, before the GPU is waited for.
        self.batch_size = min(cfg.train_dataloader.batch_size, VIDEOS // 2)
        window = cfg.train_dataloader.dataset.get('window')
        self.window = Window(**window) if window else None
        self.store = FeatureStore(_write_store(folder / 'store', info, clip))
        self.on_disk = FeatureStore(self.store.root)
        self.model, self.wrapper = self._trainable()  # First: it says what is wrong with a device.
        if device != 'cpu':
            self.store.load(device)
        # Without gradients of its weights, as torch's counter fails where a layer is called with one under no_grad.
        self.evaluated = self._trainable()[0].eval().requires_grad_(False)
        full = cfg.curriculum.full
        self.full, self.full_wrapper = self._trainable(full.get('freeze', ()), full.get('frozen_mode', 'train'))
        self.fixed, self.fixed_wrapper = self._trainable(full.get('freeze', ()), 'eval')
        self.generator: Any = self.model.generator
        self.labels = torch.arange(self.batch_size) % info['num_classes']
        self.fused = None if why_not_of(self.fixed) else {novel: self._fuse(novel) for novel in (False, True)}
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
            cases[BASE_STEP] = lambda: self.model.train_step(self.batch(), self.wrapper)
            if self.device != 'cpu':
                cases[STREAMED] = lambda: self.read_and_train(self.device)
        if self.cfg.curriculum.full.max_epochs:
            cases[FULL_ITERATION] = lambda: self._iteration(self.full.train_step)
            if self.fused is not None:
                cases[CACHED] = self._cached
        if self.generator is not None:
            cases['chain'] = self._chain
            if self.generator.sample(self.condition).requires_grad:
                cases['chain with backward'] = self._chain_with_backward
        cases[EVALUATION] = lambda: self._predict(self.batch_size)
        cases[ONE_CLIP] = lambda: self._predict(1)
        lengths = np.max(list(self.store.lengths.values()), axis=0)
        cases[THOUSAND_CLIPS] = lambda: self._predict_all(np.argsort(lengths))
        return cases

    def plain_cases(self) -> dict[str, Run]:
        """Return how what is measured is done plainly, where that is more than the plain path of the model."""
        in_order = partial(self._predict_all, np.arange(VIDEOS))
        return {
            'data': self.plain_data,
            STREAMED: lambda: self.read_and_train(None),
            CACHED: self.uncached,
            THOUSAND_CLIPS: in_order,
        }

    def rounds(self, name: str) -> int:
        """Return how often a case is run in a row, before the GPU is waited for."""
        if name in (FULL_ITERATION, CACHED):
            return max(1, self.steps // 4)
        return self.steps if name in (BASE_STEP, STREAMED, EVALUATION) else 1

    def as_graph(self, name: str) -> Run | None:
        """Return a case as a CUDA graph, or ``None``."""
        if name in ('chain', 'chain with backward'):
            return _captured(self.cases()[name])
        if name in (EVALUATION, ONE_CLIP):
            predict = GraphedPrediction(self.evaluated)
            return self._replayed(predict, partial(self._predict, 1 if name == ONE_CLIP else self.batch_size, predict))
        model, wrapper = {
            BASE_STEP: (self.model, self.wrapper),
            STREAMED: (self.model, self.wrapper),
            FULL_ITERATION: (self.full, self.full_wrapper),
            CACHED: (self.fixed, self.fixed_wrapper),
        }.get(name, (None, None))
        if model is None or why_not(model, wrapper) is not None:
            return None
        step = GraphedStep(model)
        runs = {
            BASE_STEP: lambda: step(self.batch(), wrapper),
            STREAMED: lambda: self.read_and_train(self.device, step),
            FULL_ITERATION: lambda: self._iteration(step),
            CACHED: lambda: self._cached(step),
        }
        return self._replayed(step, runs[name])

    @staticmethod
    def _replayed(graphs: GraphedStep | GraphedPrediction, run: Run) -> Run | None:
        run(), run()  # The second time it is captured.
        return None if graphs.failed else run

    def read_and_train(self, device: str | None, step: Callable[[dict, Any], object] | None = None) -> object:
        """Train base steps on random batches of the store on disk, copied to a device ahead of them or by them."""

        def gather(videos: np.ndarray, target: torch.device | None) -> dict[str, PaddedSequences]:
            return collate(self.on_disk, videos, self.seconds, window=self.window, device=target)

        for batch in random_batches(gather, self.labels, videos=VIDEOS, steps=self.steps, device=device):
            (step or self.model.train_step)(batch, self.wrapper)
        return None

    def _iteration(self, step: Callable[[dict, Any], object]) -> object:
        step(self.batch(), self.full_wrapper)
        return step(self.batch(novel=True), self.full_wrapper)

    def uncached(self) -> object:
        """Train on a base and a novel batch with frozen parts in evaluation mode."""
        self.fixed.train_step(self.batch(), self.fixed_wrapper)
        return self.fixed.train_step(self.batch(novel=True), self.fixed_wrapper)

    @torch.no_grad()
    def _fuse(self, novel: bool) -> Fused:
        fused, context = self.fixed.eval()._fuse(self.fixed.data_preprocessor(self.batch(novel))['inputs'])
        self.fixed.train()
        return Fused(fused, context['readout_mask'], cut=True, videos=np.arange(len(fused)), key='')

    def _cached(self, step: Callable[[dict, Any], object] | None = None) -> object:
        assert self.fused is not None
        for novel, fused in self.fused.items():
            batch = dict(label=self.labels, index=torch.arange(self.batch_size), novel=novel)
            data = dict(batch, features=fused(np.arange(self.batch_size)))
            (step or self.fixed.train_step)(data, self.fixed_wrapper)
        return None

    @torch.no_grad()
    def _chain(self) -> object:
        return self.generator.sample(self.condition)

    def _chain_with_backward(self) -> object:
        total = self.generator.sample(self.condition).square().mean()
        return torch.autograd.grad(total, list(self.generator.parameters()))

    def _predict(self, size: int, predict: Callable[[dict], object] | None = None) -> object:
        return self._answers(self.batch(size=size), predict)

    def _predict_all(self, videos: np.ndarray) -> object:
        for begin in range(0, VIDEOS, self.batch_size):
            features = collate(self.store, videos[begin : begin + self.batch_size], self.seconds, window=self.window)
            self._answers(dict(features=features))
        return None

    @torch.no_grad()
    def _answers(self, batch: dict, predict: Callable[[dict], object] | None = None) -> object:
        return (predict or self.evaluated.test_step)(batch)


def _write_store(out: Path, info: Mapping[str, Any], clip: tuple[float, float]) -> Path:
    """Write random features of clips between two lengths."""
    rng = np.random.default_rng(0)
    modalities = {
        m: dict(dim=dim, seconds_per_step=info['seconds_per_step'][m]) for m, dim in info['feature_dims'].items()
    }
    if not out.exists():
        with FeatureStoreWriter(out, name='random', modalities=modalities, classes=['any']) as writer:
            for video in range(VIDEOS):
                length = rng.uniform(*clip)
                steps = {m: max(1, round(length / entry['seconds_per_step'])) for m, entry in modalities.items()}
                x = {m: rng.random((steps[m], entry['dim']), np.float32) for m, entry in modalities.items()}
                writer.add(f'video{video}', 'any', x)
            writer.finish()
    return out


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
