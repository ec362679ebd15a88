"""The parts of training and evaluation that are timed, on synthetic features with a config's widths."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper

from avzoo.datasets.collate import PaddedSequences, collate
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.window import Window
from avzoo.engine.fusion_cache import Fused, why_not_of
from avzoo.engine.graph_hook import why_not
from avzoo.engine.graphs import GraphedPrediction, GraphedRun, GraphedStep
from avzoo.engine.memory import keep_freed_memory
from avzoo.engine.optim import use_one_pass
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.speed.plain_path import collate_one_by_one
from avzoo.speed.random_data import random_batches, write_random_store
from avzoo.zoo.build import build_model, move_to

Run = Callable[[], object]
Step = Callable[[dict], object]  # Trains on a batch, or predicts it.
VIDEOS = 256
BASE_STEP, STREAMED = 'base step', 'base step, streamed'
EVALUATION = 'evaluation, 1,000 videos'
FULL_ITERATION = 'full iteration'
CACHED = 'full iteration, cached fusion'
ONE_CLIP, THOUSAND_CLIPS = 'prediction, one clip', 'prediction, 1,000 clips'


class Case(NamedTuple):
    """Something that is timed.

    Attributes:
        run: Runs it.
        plain: Runs it the plain way, if that is more than the plain path of the model.
        graph: Returns it as a CUDA graph, or ``None``.
        calls: Number of calls in a row before waiting for the GPU.
        rounds: Number of rounds per call.
        videos: Number of videos that a call evaluates; its time is given for 1,000.
        multiplies: Whether it multiplies matrices, which bfloat16 may make faster.
    """

    run: Run
    plain: Run | None = None
    graph: Callable[[], Run | None] = lambda: None
    calls: int = 1
    rounds: int = 1
    videos: int = 1000
    multiplies: bool = True


class _Trained(NamedTuple):
    model: AVClassifier
    wrapper: OptimWrapper

    def step(self, batch: dict) -> object:
        return self.model.train_step(batch, self.wrapper)

    def case(self, work: Callable[[Step], object], **facts: Any) -> Case:
        """Return the case for work that takes steps."""
        return Case(partial(work, self.step), graph=partial(self._graph, work), **facts)

    def _graph(self, work: Callable[[Step], object]) -> Run | None:
        if why_not(*self) is not None:
            return None
        step = GraphedStep(self.model)
        return _replayed(step, lambda: work(lambda batch: step(batch, self.wrapper)))


class SpeedCases:
    """A model with its data: what is measured.

    Args:
        cfg: Config of the method.
        info: Facts about its data, see :class:`AVClassifier`.
        folder: Where the data are written.
        clip: Shortest and longest clip in seconds.
        device: Where to compute.
    """

    def __init__(
        self, cfg: Config, info: Mapping[str, Any], folder: Path, clip: tuple[float, float], device: str
    ) -> None:
        self.cfg, self.info, self.device = cfg, info, device
        keep_freed_memory()  # As training does.
        self.seconds = {m: info['seconds_per_step'][m] for m in cfg.model.encoders}
        self.steps = 1 if device == 'cpu' else 20  # In a row before waiting for the GPU.
        self.batch_size = min(cfg.train_dataloader.batch_size, VIDEOS // 2)
        window = cfg.train_dataloader.dataset.get('window')
        self.window = Window(**window) if window else None
        self.store = FeatureStore(write_random_store(folder / 'store', VIDEOS, info, clip))
        self.on_disk = FeatureStore(self.store.root)
        self.base = self._trained()  # First: it reports what is wrong with a device.
        if device != 'cpu':
            self.store.load(device)
        # Weights without gradients: torch's counter fails if a layer that has some is called under no_grad.
        self.evaluated = self._model().eval().requires_grad_(False)
        full = cfg.curriculum.full
        self.full = self._trained(full.get('freeze', ()), full.get('frozen_mode', 'train'))
        self.fixed = self._trained(full.get('freeze', ()), 'eval')
        self.generator: Any = self.base.model.generator
        self.labels = torch.arange(self.batch_size) % info['num_classes']
        if self.base.model.conditioner is not None:  # Made once: a graph cannot copy labels.
            self.condition = self.base.model.conditioner(self.labels.to(device))

    def _model(self, frozen: tuple[str, ...] = (), mode: str = 'train') -> AVClassifier:
        torch.manual_seed(0)
        model = build_model(Config(dict(model=self.cfg.model, data_preprocessor=self.cfg.data_preprocessor)), self.info)
        model._freeze(frozen, mode)
        move_to(self.device, model).train()
        return model

    def _trained(self, frozen: tuple[str, ...] = (), mode: str = 'train') -> _Trained:
        model = self._model(frozen, mode)
        wrapper = build_optim_wrapper(model, self.cfg.optim_wrapper)
        use_one_pass(wrapper.optimizer)
        return _Trained(model, wrapper)

    def batch(self, novel: bool = False, size: int | None = None) -> dict:
        """Return a batch from the data set, always the same."""
        size = size or self.batch_size
        videos = np.arange(size) + (self.batch_size if novel else 0)
        features = collate(self.store, videos, self.seconds, window=self.window, seed=0)
        return dict(features=features, label=self.labels[:size], index=torch.arange(size), novel=novel)

    def batch_bytes(self) -> int:
        """Return the size of a batch's features."""
        return sum(part['x'].nbytes for part in self.batch()['features'].values())

    def cases(self) -> dict[str, Case]:
        """Return what is measured, by name."""
        by_length = np.argsort(np.max(list(self.store.lengths.values()), axis=0))
        return {
            'data': Case(self.batch, plain=self._plain_data, multiplies=False),
            **self._training_cases(),
            **self._generator_cases(),
            EVALUATION: self._prediction(self.batch_size, calls=self.steps, videos=self.batch_size),
            ONE_CLIP: self._prediction(1),
            THOUSAND_CLIPS: Case(
                partial(self._predict_all, by_length),
                plain=partial(self._predict_all, np.arange(VIDEOS)),
                videos=VIDEOS,
            ),
        }

    def _training_cases(self) -> dict[str, Case]:
        cases, turns = {}, max(1, self.steps // 4)
        if self.cfg.curriculum.base.max_epochs:
            cases[BASE_STEP] = self.base.case(lambda step: step(self.batch()), calls=self.steps)
            if self.device != 'cpu':
                read = partial(self.read_and_train, self.device)
                plain = partial(self.read_and_train, None, self.base.step)
                cases[STREAMED] = self.base.case(read, plain=plain, rounds=self.steps)
        if self.cfg.curriculum.full.max_epochs:
            cases[FULL_ITERATION] = self.full.case(self._iteration, calls=turns)
            if not why_not_of(self.fixed.model):
                fused = [self._fused_batch(novel) for novel in (False, True)]
                cases[CACHED] = self.fixed.case(
                    partial(self._cached, fused), plain=partial(self._iteration, self.fixed.step), calls=turns
                )
        return cases

    def _generator_cases(self) -> dict[str, Case]:
        if self.generator is None:
            return {}
        runs = {'chain': self._chain}
        if self.generator.sample(self.condition).requires_grad:
            runs['chain with backward'] = self._chain_with_backward
        return {name: Case(run, graph=partial(self._graph_of, run)) for name, run in runs.items()}

    def _graph_of(self, run: Run) -> Run | None:
        graphed = GraphedRun(self.base.model, run)
        return _replayed(graphed, graphed)

    def _prediction(self, size: int, **facts: Any) -> Case:
        def graph() -> Run | None:
            predict = GraphedPrediction(self.evaluated)
            return _replayed(predict, lambda: self._predict(self.batch(size=size), predict))

        return Case(lambda: self._predict(self.batch(size=size)), graph=graph, **facts)

    def _plain_data(self) -> object:
        return collate_one_by_one(self.store, np.arange(self.batch_size), tuple(self.seconds))

    def read_and_train(self, device: str | None, step: Step) -> None:
        """Take base steps on random batches from the store on disk, copied to a device before or during the steps."""

        def gather(videos: np.ndarray, target: torch.device | None) -> dict[str, PaddedSequences]:
            return collate(self.on_disk, videos, self.seconds, window=self.window, device=target)

        for batch in random_batches(gather, self.labels, videos=VIDEOS, steps=self.steps, device=device):
            step(batch)

    def _iteration(self, step: Step) -> None:
        step(self.batch())
        step(self.batch(novel=True))

    @torch.no_grad()
    def _fused_batch(self, novel: bool) -> Callable[[], dict]:
        """Return a function that makes a batch of features computed by the fusion."""
        model, index = self.fixed.model.eval(), np.arange(self.batch_size)
        x, context = model._fuse(model.data_preprocessor(self.batch(novel))['inputs'])
        model.train()
        fused = Fused(x, context['readout_mask'], cut=True, videos=index)
        facts = dict(label=self.labels, index=torch.arange(self.batch_size), novel=novel)
        return lambda: dict(facts, features=fused(index))

    @staticmethod
    def _cached(fused: list[Callable[[], dict]], step: Step) -> None:
        for batch in fused:
            step(batch())

    @torch.no_grad()
    def _chain(self) -> object:
        return self.generator.sample(self.condition)

    def _chain_with_backward(self) -> object:
        total = self.generator.sample(self.condition).square().mean()
        return torch.autograd.grad(total, list(self.generator.parameters()))

    def _predict_all(self, videos: np.ndarray) -> None:
        for begin in range(0, VIDEOS, self.batch_size):
            features = collate(self.store, videos[begin : begin + self.batch_size], self.seconds, window=self.window)
            self._predict(dict(features=features))

    @torch.no_grad()
    def _predict(self, batch: dict, predict: Step | None = None) -> object:
        return (predict or self.evaluated.test_step)(batch)


def _replayed(graphs: GraphedStep | GraphedPrediction | GraphedRun, run: Run) -> Run | None:
    run(), run()  # The second call captures it.
    return None if graphs.failed else run
