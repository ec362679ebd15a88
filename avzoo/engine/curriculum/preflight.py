"""Find what would fail or invalidate the numbers before anything is trained."""

from collections.abc import Sequence

import numpy as np
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from avzoo.config.as_data import plain_config
from avzoo.config.build_dataset import build_dataset
from avzoo.config.choices import choices_of, reported, with_alternatives
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.engine.curriculum.batch_size import check_batch_size
from avzoo.engine.curriculum.plan import Phase, epoch_steps, evaluation_config, phase_config, plan_phases
from avzoo.engine.curriculum.run_parts import building, try_run_parts
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.models.classifiers.part_checks import try_sample
from avzoo.models.conditioners.class_embedding import ClassEmbedding
from avzoo.models.contracts import Fitted, FittedGenerator
from avzoo.protocol import train_splits
from avzoo.registry import METRICS, MODELS, PARAM_SCHEDULERS, import_parts
from avzoo.utils.counts import number_of
from avzoo.utils.errors import ConfigError, DataError
from avzoo.utils.printable import printable

_LOADERS = ('train_dataloader', 'val_dataloader')


def preflight(cfg: Config, phases: Sequence[Phase]) -> list[tuple[Phase, Config, GFSLDataset]]:
    """Open the data of every phase and test, and build the parts of each sub-stage's run.

    Returns:
        Each phase with its config and its training set.

    Raises:
        ConfigError: If a part cannot be built, or a value is not plain data.
        DataError: If training and evaluation share videos, or the draws differ in their classes.
    """
    import_parts()
    cfg = plain_config(cfg)
    checked, tried = [], set()
    for phase in phases:
        run = phase_config(cfg, phase, {}, cfg.work_dir)
        data = _data_of(run)
        train, *held_out = data.values()
        if phase.draw is not None:
            test = evaluation_config(cfg, 'test', phase.draw, cfg.work_dir)
            held_out.append(build_dataset(test.test_dataloader.dataset))
            _try_loader('test_dataloader', test, held_out[-1])
            _check_classes_of_draw(train, phase.draw)
        for one in held_out:
            _check_apart(train, one)
        if (phase.stage, phase.substage) not in tried:
            _try_parts(cfg, phase, run, data)
            tried.add((phase.stage, phase.substage))
        checked.append((phase, run, train))
    if any(phase.stage == 1 for phase in phases):
        _try_alternatives(cfg)
    with building('val_evaluator'):
        METRICS.build(cfg.val_evaluator)
    return checked


def _data_of(run: Config) -> dict[str, GFSLDataset]:
    return {name: build_dataset(run[name].dataset) for name in _LOADERS if run.get(name)}


def describe_plan(cfg: Config, draws: Sequence[int] | None = None, stage: int | None = None) -> str:
    """Return the plan as text: the videos, epochs and steps of each phase. Reads the data, trains nothing."""
    draws = range(cfg.curriculum.num_draws) if draws is None else draws
    lines = [printable(f'{cfg.method}, {cfg.num_shots}-shot, data {cfg.data_root}, written to {cfg.work_dir}')]
    trials = sum(len(alternatives) for alternatives in choices_of(cfg) if len(alternatives) > 1)
    if trials and stage != 2:
        metric = cfg.curriculum.get('choose_by', 'AUSUC')
        lines.append(f'{"choices":<18} {trials} runs of stage 1; the best validation {metric} wins')
    for phase, run, data in preflight(cfg, plan_phases(draws, stage)):
        work = _describe_work(cfg, phase, run)
        lines.append(f'{phase.name:<18} {len(data):>6} videos, {len(data.class_ids)} classes, {work}')
    return '\n'.join(lines)


def _describe_work(cfg: Config, phase: Phase, run: Config) -> str:
    work = []
    if cfg.curriculum[phase.substage].get('fit'):
        work.append(f'{", ".join(cfg.curriculum[phase.substage].fit)} fitted')
    if 'max_epochs' in run.train_cfg:
        epochs = number_of(run.train_cfg.max_epochs, 'epoch')
        upto = 'up to ' if phase.stage == 2 and cfg.curriculum.validate else ''
        work.append(f'{upto}{epochs} of {number_of(epoch_steps(cfg, phase), "step")}')
    return ', '.join(work)


def _check_apart(train: GFSLDataset, held_out: GFSLDataset) -> None:
    """Refuse videos used for both training and evaluation: the numbers would mean nothing."""
    shared = np.intersect1d(train.videos, held_out.videos)
    if len(shared):
        store = train.store
        raise DataError(
            f'{store.root}: video {str(store.video_ids[shared[0]])!r} is both in {", ".join(train.splits)} '
            f'and in {", ".join(held_out.splits)} ({number_of(len(shared), "such video")}). Draw the splits again with '
            'tools/dataset_converters/splits.py.'
        )


def _check_classes_of_draw(train: GFSLDataset, draw: int) -> None:
    """Refuse a draw whose novel classes differ from those of the first draw, which define the stage's columns."""
    lacking = np.setdiff1d(np.flatnonzero(~train.base_mask), train.labels)
    if len(lacking):
        name = train.store.class_names[train.class_ids[lacking[0]]]
        raise DataError(
            f"{train.store.root}: class '{name}' has videos in {train_splits(2, 0)[1]} but none in "
            f'{train_splits(2, draw)[1]}. Fix the lists.'
        )


def _try_alternatives(cfg: Config) -> None:
    """Build the parts of each alternative of a choice; otherwise the last might fail after all others have run."""
    phase = Phase(1, 'full')
    for i, alternatives in enumerate(choices_of(cfg)):
        for j, alternative in enumerate(alternatives):
            with reported(i, j):
                one = with_alternatives(cfg, [alternative])
                run = phase_config(one, phase, {}, one.work_dir)
                _try_parts(one, phase, run, _data_of(run))


def _try_parts(cfg: Config, phase: Phase, run: Config, data: dict[str, GFSLDataset]) -> None:
    model, steps = MODELS.build(run.model), epoch_steps(cfg, phase)
    if any(isinstance(part, ClassEmbedding) for part in model.modules()):
        data['train_dataloader'].class_embeddings  # noqa: B018 - they are checked where they are read.
    _try_fit(cfg, phase, model)
    try_sample(model)
    with building('optim_wrapper'):
        wrapper = build_optim_wrapper(model, run.optim_wrapper)
    counts = run.optim_wrapper.get('accumulative_counts', 1)
    if steps % counts:
        raise ConfigError(
            f'optim_wrapper.accumulative_counts={counts} does not divide the {steps} steps of an epoch: '
            'gradients would be carried into the next epoch and lost when a run is resumed. Choose a '
            'divisor, or another train_dataloader.batch_sampler.num_batches.'
        )
    for i, scheduler in enumerate(run.param_scheduler or ()):
        with building(f'param_scheduler.{i}'):
            PARAM_SCHEDULERS.build(dict(scheduler), default_args=dict(optimizer=wrapper, epoch_length=steps))
    for name, dataset in data.items():
        _try_loader(name, run, dataset)
    try_run_parts(run, model)


def _try_loader(name: str, run: Config, dataset: GFSLDataset) -> None:
    with building(name):
        PhaseRunner.build_dataloader(dict(run[name], dataset=dataset), seed=run.randomness.seed)


def _try_fit(cfg: Config, phase: Phase, model: AVClassifier) -> None:
    """Refuse parts that cannot be fitted, a generator that is never fitted, and a head that sees no novel class."""
    check_batch_size(cfg, phase, model)
    fitted = cfg.curriculum[phase.substage].get('fit', ())
    if fitted:
        model.check_fit(fitted, f'curriculum.{phase.substage}.fit')
    if phase.substage == 'full' and isinstance(model.generator, FittedGenerator) and 'generator' not in fitted:
        raise ConfigError(
            f"curriculum.full.fit={tuple(fitted)} leaves out 'generator', but model.generator "
            f'({type(model.generator).__name__}) learns nothing from training steps. Set curriculum.full.fit='
            f'{("generator", *fitted)}.'
        )
    untrained = phase.substage == 'full' and not cfg.curriculum.full.max_epochs
    if untrained and isinstance(model.head, Fitted) and 'head' not in fitted:
        raise ConfigError(
            f"curriculum.full.fit={tuple(fitted)} leaves out 'head', and curriculum.full.max_epochs=0 trains nothing: "
            'no shot of a novel class would reach model.head. Add it to fit, or train epochs.'
        )
